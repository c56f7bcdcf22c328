#!/usr/bin/env python3
"""The rules of docs/ARCHITECTURE.md that a machine can check. Prints file:line: message; exit 1 on any.

Levels: an include points to the same level or a lower one; servo and dataplane meet only in
servo/units; L0-L2 are sans-IO; rte_* only in dataplane/dpdk; Eigen only in servo/.
Size: files up to 600 lines, functions up to 70.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Longest prefix wins.
LEVELS = {
    "servo/units": 0,
    "servo/filter": 1, "servo/select": 1, "servo/discipline": 1, "dataplane/wire": 1,
    "refclock/decode": 1, "rtc": 1,
    "dataplane/proto": 2, "dataplane/port": 2, "dataplane/frame": 2, "mgmt/config": 2, "mgmt/command": 2,
    "mgmt/telemetry": 2,
    "servo/actuator": 3, "dataplane/socket": 3, "dataplane/dpdk": 3, "dataplane/capture": 3,
    "refclock": 3,
    "mgmt/engine": 4, "mgmt/runtime": 4,
    "mgmt/daemon": 5, "mgmt/cli": 5, "mgmt/mgmtd": 5, "mgmt/lab": 5, "mgmt/web": 5,
}

# servo/actuator's header is an interface that L4 injects; it may be named from anywhere above L0.
INTERFACES = {"servo/actuator/clock_driver.h"}

# mgmt/engine composes the lower levels but is sans-IO like them.
SANS_IO_EXTRA = {"mgmt/engine"}
# Headers that mean a system call, a clock, a thread, randomness or a log.
FORBIDDEN_IN_SANS_IO = re.compile(
    r"<(unistd\.h|fcntl\.h|poll\.h|sys/.*|net/.*|netinet/.*|netdb\.h|thread|mutex|condition_variable|future|"
    r"fstream|iostream|random|syslog\.h|signal\.h|pthread\.h|filesystem)>")
FORBIDDEN_CALLS = re.compile(
    r"\b(clock_gettime|gettimeofday|getenv|std::time\(|system_clock|steady_clock|getrandom|std::rand|"
    r"printf\(|std::cerr|std::cout|syslog\()")
# fmt::printf-like formatting into strings is fine; writing is not.
ALLOWED_CALLS = re.compile(r"\b(snprintf|vsnprintf)\(")

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

problems = []


def problem(path, line, message):
    problems.append(f"{path}:{line}: {message}")


def module_of(path):
    best = None
    for prefix in LEVELS:
        if path.startswith(prefix + "/") and (best is None or len(prefix) > len(best)):
            best = prefix
    return best


def check_includes(path, lines, module):
    level = LEVELS[module]
    for number, line in enumerate(lines, 1):
        match = re.match(r'#include "([^"]+)"', line)
        if match:
            target = match.group(1)
            other = module_of(target)
            if other is None:
                problem(path, number, f'include "{target}" is not root-relative or names no module')
                continue
            if LEVELS[other] > level and target not in INTERFACES:
                problem(path, number, f"L{level} {module} includes L{LEVELS[other]} {other}")
            sides = {module.split("/")[0], other.split("/")[0]}
            if sides == {"servo", "dataplane"} and other != "servo/units":
                problem(path, number, "servo and dataplane meet only in servo/units")
        if re.match(r"#include <rte_", line) and module != "dataplane/dpdk":
            problem(path, number, "rte_* headers belong to dataplane/dpdk")
        if re.match(r"#include <Eigen", line) and not module.startswith("servo/"):
            problem(path, number, "Eigen belongs to servo/")
        if level <= 2 or module in SANS_IO_EXTRA:
            if FORBIDDEN_IN_SANS_IO.search(line):
                problem(path, number, f"{module} is sans-IO: {line.strip()}")
            code = ALLOWED_CALLS.sub("", line.split("//")[0])
            if line.lstrip()[:2] != "//" and FORBIDDEN_CALLS.search(code) and path != "servo/units/assert.cc":
                problem(path, number, f"{module} is sans-IO: {line.strip()}")


def check_functions(path, lines):
    """Functions of formatted code: an opening line that ends in '{' and has a ')', closed by a '}' of the
    same indentation. Only outermost functions are measured (classes and namespaces are skipped over)."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None:
            if line.endswith("{") and ")" in line and not re.match(
                    r"\s*(namespace|class|struct|enum|union|if|for|while|switch|else|do|try|return|\}|extern)\b", line):
                indent = len(line) - len(line.lstrip())
                if indent <= 4 or line.rstrip().endswith(") {") and indent <= 8:
                    start, start_indent = number, indent
                    # A signature may span lines: its indentation is that of its closing brace.
                    continue
        elif re.match(r" {0,%d}\}" % start_indent, line):
            if number - start + 1 > MAX_FUNCTION_LINES:
                problem(path, start, f"function of {number - start + 1} lines (limit {MAX_FUNCTION_LINES})")
            start = None


def check_text(path, lines):
    # Tables read better as columns: they may switch the formatter off.
    limit = 105
    for number, line in enumerate(lines, 1):
        if "clang-format off" in line:
            limit = 140
        elif "clang-format on" in line:
            limit = 105
        if len(line) > limit and "http" not in line:
            problem(path, number, f"line of {len(line)} characters (limit {limit})")
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            problem(path, number, "a promise in the code: do it or write it into docs/")
        if "#pragma once" in line and not path.endswith(".h"):
            problem(path, number, "#pragma once in a source file")
    if path.endswith(".h") and not any("#pragma once" in line for line in lines):
        problem(path, 1, "header without #pragma once")


def main():
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.h", "*.cc"], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout.split()
    for path in sorted(set(tracked)):
        file = ROOT / path
        if not file.exists():
            continue
        lines = file.read_text().splitlines()
        check_text(path, lines)
        if len(lines) > MAX_FILE_LINES:
            problem(path, 1, f"{len(lines)} lines (limit {MAX_FILE_LINES}): is it still one idea?")
        if path.startswith("tests/"):
            continue
        check_functions(path, lines)
        module = module_of(path)
        if module is None:
            problem(path, 1, "belongs to no module of docs/ARCHITECTURE.md")
        else:
            check_includes(path, lines, module)
    for line in problems:
        print(line)
    if problems:
        sys.exit(f"{len(problems)} violations")


main()
