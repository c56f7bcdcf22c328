#!/usr/bin/env python3
"""The dashboard of gnomon-mgmtd in headless Chromium, with data of a running gnomond."""
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "net"))
import mgmtd_lab  # noqa: E402


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def skip(reason):
    print(f"skipped: {reason}")
    raise SystemExit(77)


def main():
    if reason := mgmtd_lab.missing("node"):
        skip(reason)
    if not chromium():
        skip("chromium is missing (scripts/deps --test)")
    web = HERE.parents[1] / "mgmt" / "web"
    if not (web / "node_modules" / "playwright-core").exists():
        skip("mgmt/web/node_modules is missing (scripts/web)")
    subprocess.run(["npm", "test", "--silent"], cwd=web, check=True)
    with mgmtd_lab.Lab(sources=3) as lab:
        lab.start_all()
        if lab.status("/") != 200:
            skip("gnomon-mgmtd was built without the dashboard (scripts/web, scripts/build)")
        time.sleep(15)
        shots = mgmtd_lab.BUILD / "dashboard"
        result = subprocess.run(["node", HERE / "dashboard.mjs", f"http://127.0.0.1:{lab.http_port}/",
                                 chromium(), shots], timeout=180, check=False)
    raise SystemExit(1 if result.returncode else 0)


main()
