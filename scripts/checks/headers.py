#!/usr/bin/env python3
"""Every header compiles alone. A header that its own .cc includes first is proven by the build already;
the others are compiled here, two at a time, without generating code. Exit 1 if any fails."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["-std=c++20", "-fsyntax-only", "-D_GNU_SOURCE", "-I.", "-isystem", "/usr/include/eigen3"]


def proven_by_build(header):
    source = (ROOT / header).with_suffix(".cc")
    if not source.exists():
        return False
    first = re.search(r'^#include ["<]([^">]+)', source.read_text(), re.MULTILINE)
    return first is not None and first.group(1) == header


def compile_alone(header):
    run = subprocess.run([os.environ.get("CXX", "g++"), *FLAGS, "-include", header, "-x", "c++", "/dev/null"],
                         cwd=ROOT, capture_output=True, text=True)
    return header, run.returncode, run.stderr


def main():
    headers = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.h"], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout.split()
    # Test helpers may lean on the test that includes them.
    alone = [h for h in sorted(set(headers))
             if not h.startswith("tests/") and (ROOT / h).exists() and not proven_by_build(h)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, status, output in pool.map(compile_alone, alone):
            if status != 0:
                failed += 1
                print(f"{header}: does not compile alone\n{output}")
    print(f"{len(alone)} headers compiled alone, {failed} failed")
    if failed:
        sys.exit(1)


main()
