#!/usr/bin/env python3
"""gnomond against chronyd with hardware timestamps, in the simulator clknetsim.

    hwtimestamp_grid.py --build DIR [--cells TEXT;…] [--contestants NAME,…] [--seeds N] [--first-seed N]
                        [--server chronyd|gnomond] [--polls N] [--jobs N] [--output DIR] [--reuse FILE]
                        [--list]

One server and one client, both with `hwtimestamp eth0` and interleaved mode at one packet a second. The
network interface's clock has Gaussian noise on every reading of it: each of the four stamps has it, and
each reading that relates the clock to the system clock. A cell is that noise, the wander of the client's
system clock, how its hardware clock is read (cross-timestamps, or from the bus, which takes a microsecond
with a jitter that differs by direction; the server always has cross-timestamps), and the wander of the
hardware clock's own oscillator. In clknetsim a hardware clock is usually true time; one that wanders is
tied to the clock of a third, idle node.

Everything else is as in clknetsim_grid.py.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import clknetsim_grid as grid

CONTESTANTS = {
    "gnomond": ("gnomond", "", ""),
    "gnomond emg": ("gnomond", "", "servo emg"),
    "gnomond emg nofollow": ("gnomond", "", "servo emg", "nofollow"),
    "gnomond kalman": ("gnomond", "", "servo kalman"),
    "chronyd": ("chronyd", "", ""),
    "chronyd filter 4": ("chronyd", "filter 4", ""),
    "chronyd maxsamples 16": ("chronyd", "maxsamples 16", ""),
    "chronyd maxsamples 32": ("chronyd", "maxsamples 32", ""),
}
DEFAULT_CONTESTANTS = ["gnomond emg", "gnomond emg nofollow", "gnomond kalman", "chronyd", "chronyd filter 4",
                       "chronyd maxsamples 16", "chronyd maxsamples 32"]

# name -> (options of hwtimestamp, environment)
READINGS = {
    "cross": ("", {}),
    "bus": ("nocrossts", {"CLKNETSIM_PHC_DELAY": "1e-6", "CLKNETSIM_PHC_JITTER": "1e-7",
                          "CLKNETSIM_PHC_JITTER_ASYM": "0.4"}),
}
SETTLE_S, COUNTED_S = 1500, 4500


def cell_name(noise, wander, reading, own):
    text = f"PHC {noise * 1e9:.0f} ns, wander {wander:.0e}, {reading}"
    return text + (f", its own {own:.0e}" if own else "")


def all_cells():
    return [(5e-8, 1e-9, "cross", 0), (5e-8, 1e-10, "cross", 0), (5e-8, 1e-8, "cross", 0),
            (5e-8, 1e-9, "bus", 0), (8e-9, 1e-9, "cross", 0), (8e-9, 1e-9, "bus", 0),
            (5e-8, 1e-9, "cross", 1e-9), (5e-8, 1e-9, "cross", 1e-8), (5e-8, 1e-9, "bus", 1e-9)]


def one_run(job):
    cell, name, seed, settle, counted, server, programs, clknetsim = job
    noise, wander, reading, own_wander = cell
    program, options, directives, *interface = CONTESTANTS[name]
    hwtimestamp, extra = READINGS[reading]
    hwtimestamp = " ".join([hwtimestamp, *interface])
    work = Path(tempfile.mkdtemp(prefix="gnomon-hw-"))
    try:
        seconds = settle + counted
        grid.write_steps(work / "steps", seed, seconds)
        lines = ["node2_offset = 1e-5", f"node2_freq = (+ 1e-5 (sum (* {wander} (file \"{work}/steps\"))))"]
        for node, peer in ((1, 2), (2, 1)):
            lines.append(f"node{node}_delay{peer} = (+ {grid.BASE_DELAY_S} (* 1e-8 (exponential)))")
            lines.append(f"node{node}_refclock = (+ 10.0 (* {noise} (normal)))")
        nodes = [(1, server), (2, program)]
        if own_wander:
            nodes.append((3, "chronyd"))
            grid.write_steps(work / "steps.3", seed + 100000, seconds)
            lines.append(f"node3_freq = (+ -2e-5 (sum (* {own_wander} (file \"{work}/steps.3\"))))")
            lines.append("node2_refclock_base = node3")
            grid.write_text(work / "conf.3", f"pidfile {work}/pid.3\ncmdport 0\n")
        grid.write_text(work / "conf", "\n".join(lines) + "\n")
        common = "cmdport 0\nclockprecision 1e-9\n"
        grid.write_text(work / "conf.1", f"pidfile {work}/pid.1\nallow\nlocal stratum 1\n{common}"
                        "hwtimestamp eth0\n")
        grid.write_text(work / "conf.2", f"pidfile {work}/pid.2\n{directives}\n{common}hwtimestamp eth0 {hwtimestamp}\n"
                        f"server 192.168.123.1 minpoll 0 maxpoll 0 xleave iburst {options}\n")
        environment = dict(os.environ, CLKNETSIM_RANDOM_SEED=str(seed), CLKNETSIM_TIMESTAMPING="2",
                           CLKNETSIM_SOCKET=str(work / "sock"), CLKNETSIM_CONNECT_TIMEOUT="60", **extra)
        clients = []
        for node, client in nodes:
            own = dict(environment, CLKNETSIM_NODE=str(node), LD_PRELOAD=str(clknetsim / "clknetsim.so"))
            clients.append(subprocess.Popen(
                [str(programs[client]), "-d", "-f", str(work / f"conf.{node}")], env=own, cwd=work,
                stdout=open(work / f"log.{node}", "wb"), stderr=subprocess.STDOUT))
        simulator = subprocess.run(
            [str(clknetsim / "clknetsim"), "-l", str(seconds), "-o", str(work / "offset"),
             "-f", str(work / "frequency"), "-s", str(work / "sock"), str(work / "conf"),
             str(len(nodes))],
            env=environment, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for client in clients:
            client.terminate()
            try:
                client.wait(10)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()
        if simulator.returncode != 0:
            log = (work / "log.2").read_text(errors="replace")[-400:]
            raise RuntimeError(f"{name}, seed {seed}: {simulator.stderr[-400:]} {log}")
        offsets = grid.column(work / "offset", settle)
        frequencies = grid.column(work / "frequency", settle)
        sizes = sorted(abs(x) for x in offsets)
        return {"cell": cell_name(*cell), "contestant": name, "seed": seed, "rms": grid.rms(offsets),
                "frequency_rms": grid.rms(frequencies), "p99": sizes[int(0.99 * (len(sizes) - 1))],
                "max": sizes[-1], "mean": sum(offsets) / len(offsets),
                "packets": grid.packets_sent(simulator.stdout, seconds)}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def earlier_runs(arguments, jobs):
    if not arguments.reuse:
        return []
    wanted = {(cell_name(*j[0]), j[1], j[2]) for j in jobs}
    with open(arguments.reuse, encoding="utf-8") as file:
        runs = json.load(file)
    return [r for r in runs if r["contestant"].startswith("chronyd")
            and (r["cell"], r["contestant"], r["seed"]) in wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--cells", default="", help="only cells whose name holds one of these (;)")
    parser.add_argument("--contestants", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--server", choices=("chronyd", "gnomond"), default="chronyd")
    parser.add_argument("--polls", type=int, default=0, help="seconds that are measured")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", default="")
    parser.add_argument("--reuse", default="")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    parts = [p.strip() for p in arguments.cells.split(";") if p.strip()]
    cells = [c for c in all_cells() if not parts or any(p in cell_name(*c) for p in parts)]
    if arguments.list:
        print("\n".join(cell_name(*c) for c in cells))
        return 0
    programs, clknetsim = grid.find_programs(arguments.build)
    names = [c for c in arguments.contestants.split(",") if c] or DEFAULT_CONTESTANTS
    jobs = [(cell, name, seed, SETTLE_S, arguments.polls or COUNTED_S, arguments.server, programs, clknetsim)
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
            for cell in cells for name in names]
    runs, started = earlier_runs(arguments, jobs), time.monotonic()
    done = {(r["cell"], r["contestant"], r["seed"]) for r in runs}
    jobs = [j for j in jobs if (cell_name(*j[0]), j[1], j[2]) not in done]
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        runs += pool.map(one_run, jobs)
    print(f"{len(jobs)} runs in {time.monotonic() - started:.0f} s", file=sys.stderr)
    text = grid.report(grid.Results(runs), arguments.seeds, arguments.server)
    print(text)
    grid.save(arguments.output, "report.md", text)
    grid.save(arguments.output, "runs.json", json.dumps(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
