#!/usr/bin/env python3
"""A real Prometheus scrapes gnomon-mgmtd; the shipped alert fires when the upstream is cut, and resolves."""
import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

import mgmtd_lab
from mgmtd_lab import Lab, ROOT, free_port, wait_for

RULES = ROOT / "packaging/prometheus/gnomon.rules.yml"


def tool(name):
    unpacked = ROOT / "build/peers/usr/bin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


def test_alert_fires_when_the_upstream_is_cut_and_resolves():
    prometheus = tool("prometheus")
    if prometheus is None:
        print("skipped: prometheus is missing (scripts/deps --test)")
        raise SystemExit(77)
    subprocess.run([tool("promtool"), "check", "rules", RULES], check=True, capture_output=True)
    with Lab() as lab:
        lab.start_all()
        port = free_port(socket.SOCK_STREAM)
        config = lab.directory / "prometheus.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{RULES}"]
scrape_configs:
  - job_name: gnomon
    static_configs: [{{targets: ["127.0.0.1:{lab.http_port}"]}}]
""")
        log = open(lab.directory / "prometheus.log", "w")
        lab.processes["prometheus"] = subprocess.Popen(
            [prometheus, f"--config.file={config}", f"--storage.tsdb.path={lab.directory}/tsdb",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

        def query(path):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=5) as answer:
                    return json.load(answer)["data"]
            except OSError:
                return None

        def value(expression):
            data = query("query?query=" + urllib.request.quote(expression))
            return float(data["result"][0]["value"][1]) if data and data["result"] else None

        def firing():
            data = query("alerts") or {"alerts": []}
            return {a["labels"]["alertname"] for a in data["alerts"] if a["state"] == "firing"}

        wait_for(lambda: value("up") == 1 and value("chrony_up") == 1, 30, "a scrape")
        target = query("targets")["activeTargets"][0]
        assert target["lastError"] == "", target
        wait_for(lambda: value("instance:chrony_max_clock_error_seconds:abs") is not None, 10, "a recording rule")
        assert not firing(), firing()
        cut = time.monotonic()
        lab.stop("upstream", 9)
        wait_for(lambda: value('gnomon_clock_state{state="HOLDOVER"}') == 1, 60, "holdover")
        wait_for(lambda: "GnomonHoldover" in firing(), 120, "GnomonHoldover")
        fired = time.monotonic() - cut
        lab.start("upstream")
        wait_for(lambda: "GnomonHoldover" not in firing(), 90, "GnomonHoldover resolved")
        print(f"        fired {fired:.0f} s after the cut, resolved")
        lab.stop("client")
        wait_for(lambda: "GnomonDown" in firing(), 120, "GnomonDown")
        lab.stop("prometheus")


if __name__ == "__main__":
    mgmtd_lab.main([test_alert_fires_when_the_upstream_is_cut_and_resolves])
