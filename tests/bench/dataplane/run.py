#!/usr/bin/env python3
"""Benchmarks the dataplanes beside chronyd: `scripts/bench dataplane`. Needs root.

Servers alternate within seconds: in every round each one is started, measured and stopped in turn, on core
0, with the load on core 1. Figures are medians of the rounds; ratios are medians of the rounds' ratios to
chronyd. Nobody's clock is touched.
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import lab as labs
import measures
import memory
import report
from lab import say

ROUND_SUBJECTS = ("chronyd", "sockets", "af_packet", "af_xdp")
# Everybody has a large client log here; chronyd also its default one.
MANY_SUBJECTS = (("chronyd-default", "chronyd", False), ("chronyd", "chronyd", True),
                 ("sockets", "sockets", True), ("af_packet", "af_packet", True), ("af_xdp", "af_xdp", True))
PACED_RATE = 25_000


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench dataplane", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds (5)")
    parser.add_argument("--quick", action="store_true", help="one short round; for looking, not for the record")
    parser.add_argument("--subjects", default=",".join(ROUND_SUBJECTS), help="comma-separated; chronyd is needed")
    parser.add_argument("--parts", default="flat,ladder,zero,mac,many,memory", help="comma-separated")
    parser.add_argument("--output", type=pathlib.Path, help="the report is also written here; what people "
                        "wrote below its tables stays")
    parser.add_argument("--json", type=pathlib.Path, default=labs.ROOT / "build/bench/dataplane.json",
                        help="every single figure (build/bench/dataplane.json)")
    parser.add_argument("--bin", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("BIN", labs.ROOT / "build/release/bin")))
    parser.add_argument("--budget", type=float, default=1200, metavar="S",
                        help="no new round begins when it would end after this (1200)")
    parser.add_argument("--report-only", action="store_true", help="make the report from --json again")
    options = parser.parse_args()
    options.subjects = [name for name in options.subjects.split(",") if name in labs.SUBJECTS]
    options.parts = set(options.parts.split(","))
    if options.quick:
        options.repeat = 1
    return options


class Bench:
    def __init__(self, options, lab):
        self.options, self.lab = options, lab
        self.short = options.quick
        self.rounds, self.unavailable, self.rungs = [], {}, {}

    def visit(self, subject, figures):
        """All that is measured with the ordinary configuration, in one life of the server."""
        parts, lab = self.options.parts, self.lab
        for rps in (False, True):
            lab.network.set_rps(rps)
            key = "rps_on" if rps else "rps_off"
            if "flat" in parts:
                # With RPS the server's core does its own reception, at the highest priority: some millions of
                # frames per second would leave nothing for any server.
                figures[f"flat_{key}"] = measures.flat_out(lab, 0.5 if self.short else 1.0,
                                                           via="packets" if rps else "frames")
            if "ladder" in parts:
                ladder = measures.Ladder(lab, 0.2 if self.short else 0.3)
                result = ladder.climb(self.rungs.get((subject, rps)))
                self.rungs[subject, rps] = result["rung"]
                figures[f"ladder_{key}"] = result
        lab.network.set_rps(False)
        if "mac" in parts:
            figures["mac"] = measures.authenticated(lab, 0.4 if self.short else 0.8)
        if "zero" in parts:
            self.zero(subject, figures)
        if subject in labs.DATAPLANES:
            figures["dataplane_report"] = lab.dataplane_report()

    def zero(self, subject, figures):
        count = 1000 if self.short else 4000
        figures["zero_idle"] = measures.zero_offset(self.lab, count)
        if not figures["zero_idle"]:
            say(f"{subject}: the zero-offset client got no answers")
            return
        own = figures.get("ladder_rps_off", {}).get("rate", 0) / 2
        if subject == "chronyd":
            self.common_load = own or 25_000
        figures["zero_half"] = measures.zero_offset(self.lab, count, self.common_load)
        figures["zero_half"]["load"] = self.common_load
        if own and subject != "chronyd":
            figures["zero_own_half"] = measures.zero_offset(self.lab, count, own)
            figures["zero_own_half"]["load"] = own
        else:
            figures["zero_own_half"] = figures["zero_half"]
        figures["zero_interleaved"] = measures.zero_offset(self.lab, count // 2, interleaved=True)
        figures["zero_interleaved_half"] = measures.zero_offset(self.lab, count // 2, self.common_load,
                                                                interleaved=True)

    def start(self, name, subject, large_log=False):
        if subject in self.unavailable:
            return False
        try:
            self.lab.start(subject, large_log)
            return True
        except labs.Unavailable as reason:
            if subject == "chronyd":
                raise SystemExit(f"error: chronyd: {reason}")
            self.unavailable[subject] = str(reason)
            say(f"{name} is left out: {reason}")
            return False

    def attempt(self, name, figures, measure):
        """A server that dies or hangs in the middle loses the rest of its figures, not everybody's."""
        try:
            measure()
        except (RuntimeError, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
            figures["failed"] = f"{type(error).__name__}: {error}"
            say(f"{name}: {figures['failed']}")

    def round(self):
        figures = {"many": {}}
        for subject in self.options.subjects:
            if not self.start(subject, subject):
                continue
            say(labs.SUBJECTS[subject])
            mine = figures[subject] = {}
            self.attempt(subject, mine, lambda: self.visit(subject, mine))
            self.lab.stop()
        if "many" in self.options.parts:
            for name, subject, large_log in MANY_SUBJECTS:
                if subject not in self.options.subjects or not self.start(name, subject, large_log):
                    continue
                mine = figures["many"][name] = {}
                say(f"{measures.MANY_CLIENTS} clients: {name}")
                self.attempt(name, mine, lambda: mine.update(
                    measures.many_clients(self.lab, 0.4 if self.short else 0.8, PACED_RATE)))
                self.lab.stop()
        self.rounds.append(figures)


def conditions(options, bench, limits, begin, load):
    return {
        "date": time.strftime("%F", time.gmtime()), "kernel": os.uname().release, "cores": os.cpu_count(),
        "commit": subprocess.run(["git", "-C", str(labs.ROOT), "rev-parse", "--short", "HEAD"],
                                 capture_output=True, text=True).stdout.strip(),
        "processor": next((line.split(": ", 1)[1].strip() for line in open("/proc/cpuinfo")
                           if line.startswith("model name")), "?"),
        "load_before": load, "load_after": labs.load_average(), "seconds": round(time.time() - begin),
        "chronyd": subprocess.run([str(bench.lab.chronyd), "--version"], capture_output=True,
                                  text=True).stdout.split()[3],
        "rounds": len(bench.rounds), "quick": options.quick, "generator": limits,
        "unavailable": bench.unavailable, "paced_rate": PACED_RATE,
        "clients": measures.CLIENTS, "many_clients": measures.MANY_CLIENTS,
        "priority": "niceness -5 (of their group, -10)" if "nice" in bench.lab.nice else "ordinary priority",
    }


def measure(options):
    if os.geteuid() != 0:
        raise SystemExit("error: scripts/bench dataplane needs root (network namespaces, BPF)")
    for name in ("gnomond", "gnomonc", "frame_load", "ntp_zero"):
        if not os.access(options.bin / name, os.X_OK):
            raise SystemExit(f"error: no {options.bin / name}: scripts/build release {name}")
    begin, load = time.time(), labs.load_average()
    if load > 1.0:
        say(f"load average {load}: other work is on these cores, figures will say little")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with labs.Network() as network:
        lab = labs.Lab(options.bin, network)
        bench = Bench(options, lab)
        try:
            limits = measures.generator_limits(lab)
            longest = 0.0
            for number in range(options.repeat):
                if time.time() - begin + longest > options.budget:
                    say("no time for a further round")
                    break
                say(f"round {number + 1} of {options.repeat}")
                start = time.time()
                bench.round()
                longest = max(longest, time.time() - start)
        finally:
            lab.close()
    in_memory = {}
    if "memory" in options.parts:
        in_memory = memory.measure(options.bin.parent, options.quick, options.repeat)
    return {"conditions": conditions(options, bench, limits, begin, load), "rounds": bench.rounds,
            "memory": in_memory}


def main():
    options = arguments()
    if options.report_only:
        data = json.loads(options.json.read_text())
    else:
        data = measure(options)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    text = report.write(data)
    print(text)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text + report.notes_of(options.output))


if __name__ == "__main__":
    main()
