#!/usr/bin/env python3
"""gnomond against chronyd as clients of one perfect server, in the simulator clknetsim.

    clknetsim_grid.py --build DIR [--cells TEXT,…] [--contestants NAME,…] [--seeds N] [--first-seed N]
                      [--server chronyd|gnomond] [--polls N] [--jobs N] [--output DIR]
                      [--reuse FILE] [--list]

A cell is a jitter of each way (exponential or Gaussian), a wander of the client's frequency (random
walk, s/s per sqrt(s)) and a fixed poll interval. Every contestant runs every cell with the same
seeds of the simulator. After the settling time the true offset and frequency error of the client's
system clock are taken once a second from the simulator's logs.

--reuse takes runs of chronyd from the runs.json of an earlier report instead of repeating them.

Needs the environment GNOMON_CHRONY_SOURCE (a built chrony tree) and GNOMON_CLKNETSIM (a built
clknetsim tree); exit status 77 and the reason without them. Writes report.md, ratios.svg and
runs.json to the output directory, and the report to stdout.
"""

import argparse
import concurrent.futures
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIP = 77
BASE_DELAY_S = 1e-4
BOOTSTRAPS = 2000

# name -> (program, options of the server line, further directives)
CONTESTANTS = {
    "gnomond": ("gnomond", "", ""),
    "gnomond kalman": ("gnomond", "", "servo kalman"),
    "gnomond emg": ("gnomond", "", "servo emg"),
    "gnomond regression": ("gnomond", "", "servo regression"),
    "chronyd": ("chronyd", "", ""),
    "chronyd filter 4": ("chronyd", "filter 4", ""),
    "chronyd filter 16": ("chronyd", "filter 16", ""),
    "chronyd filter 64": ("chronyd", "filter 64", ""),
    "chronyd maxdelayquant 0.1": ("chronyd", "maxdelayquant 0.1", ""),
    "chronyd maxdelayquant 0.3": ("chronyd", "maxdelayquant 0.3", ""),
    "chronyd maxdelayquant 0.1 filter 8": ("chronyd", "maxdelayquant 0.1 filter 8", ""),
    "chronyd maxsamples 6": ("chronyd", "maxsamples 6", ""),
    "chronyd maxsamples 16": ("chronyd", "maxsamples 16", ""),
    "chronyd maxsamples 32": ("chronyd", "maxsamples 32", ""),
}
TUNED_SHORT = ["chronyd", "chronyd filter 16", "chronyd filter 64", "chronyd maxdelayquant 0.1",
               "chronyd maxdelayquant 0.3", "chronyd maxsamples 32"]
TUNED_LONG = ["chronyd", "chronyd filter 4", "chronyd maxdelayquant 0.3", "chronyd maxsamples 6",
              "chronyd maxsamples 16"]

# The kinds of one-way jitter, as expressions of clknetsim.
JITTERS = {
    "exp 10us": "(* 1e-5 (exponential))",
    "exp 100us": "(* 1e-4 (exponential))",
    "exp 1ms": "(* 1e-3 (exponential))",
    "gauss 50ns": "(* 5e-8 (normal))",
}


def cell_name(jitter, wander, poll):
    return f"{jitter}, wander {wander:.0e}, poll {poll}"


def all_cells():
    """Every jitter at the wander of an ordinary crystal, and two of them at a calmer and a worse."""
    cells = []
    for jitter in JITTERS:
        for wander in (1e-9, 1e-10, 1e-8):
            if wander != 1e-9 and jitter not in ("exp 100us", "gauss 50ns"):
                continue
            for poll in (0, 4, 6, 10):
                cells.append((jitter, wander, poll))
    return cells


def contestants_of(poll, named):
    if named:
        return named
    return ["gnomond kalman", "gnomond emg"] + (TUNED_SHORT if poll < 4 else TUNED_LONG)


def polls_of(poll):
    """Settling and measured polls: long memories at short polls need many."""
    if poll >= 10:
        return 60, 240
    if poll >= 6:
        return 200, 800
    if poll >= 4:
        return 400, 1200
    return 1500, 4500


def write_text(path, text):
    path.write_text(text, encoding="utf-8")


def one_run(job):
    """Starts simulator, server and client; returns the figures of one run."""
    (jitter, wander, poll, name, seed, settle, counted, server_program, programs, clknetsim) = job
    program, options, directives = CONTESTANTS[name]
    work = Path(tempfile.mkdtemp(prefix="gnomon-grid-"))
    try:
        delay = f"(+ {BASE_DELAY_S} {JITTERS[jitter]})"
        seconds = (settle + counted) << poll
        write_steps(work / "steps", seed, seconds)
        # The walk of the frequency is the same for all contestants; the delays are only alike,
        # because how many are drawn depends on when packets are sent.
        write_text(work / "conf", f"node2_offset = 1e-3\nnode2_freq = (+ 1e-5 (sum (* {wander} "
                                  f"(file \"{work}/steps\"))))\n"
                                  f"node2_delay1 = {delay}\nnode1_delay2 = {delay}\n")
        common = "cmdport 0\n"
        write_text(work / "conf.1",
                   f"pidfile {work}/pid.1\nallow\nlocal stratum 1\n{common}")
        write_text(work / "conf.2",
                   f"pidfile {work}/pid.2\n{directives}\n{common}"
                   f"server 192.168.123.1 minpoll {poll} maxpoll {poll} iburst {options}\n")
        environment = dict(os.environ, CLKNETSIM_RANDOM_SEED=str(seed),
                           CLKNETSIM_SOCKET=str(work / "sock"),
                           CLKNETSIM_CONNECT_TIMEOUT="60")
        clients = []
        for node, client in ((1, server_program), (2, program)):
            own = dict(environment, CLKNETSIM_NODE=str(node),
                       LD_PRELOAD=str(clknetsim / "clknetsim.so"))
            clients.append(subprocess.Popen(
                [str(programs[client]), "-d", "-f", str(work / f"conf.{node}")], env=own, cwd=work,
                stdout=open(work / f"log.{node}", "wb"), stderr=subprocess.STDOUT))
        simulator = subprocess.run(
            [str(clknetsim / "clknetsim"), "-l", str(seconds), "-o", str(work / "offset"),
             "-f", str(work / "frequency"), "-s", str(work / "sock"), str(work / "conf"), "2"],
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
        skip = settle << poll
        offsets = column(work / "offset", skip)
        frequencies = column(work / "frequency", skip)
        sizes = sorted(abs(x) for x in offsets)
        return {
            "cell": cell_name(jitter, wander, poll), "contestant": name, "seed": seed,
            "rms": rms(offsets), "frequency_rms": rms(frequencies),
            "p99": sizes[int(0.99 * (len(sizes) - 1))], "max": sizes[-1],
            "mean": sum(offsets) / len(offsets),
            "packets": packets_sent(simulator.stdout, seconds),
        }
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_steps(path, seed, seconds):
    generator = random.Random(seed)
    with open(path, "w", encoding="ascii") as out:
        out.writelines(f"{generator.gauss(0.0, 1.0):.9f}\n" for _ in range(seconds + 2))


def column(path, skip):
    """The client's column of a log of the simulator, without the first `skip` seconds."""
    values = []
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines):
            if number >= skip:
                values.append(float(line.split()[1]))
    if not values:
        raise RuntimeError(f"{path}: the simulation ended early")
    return values


def packets_sent(stats, seconds):
    """Packets that the client sent, from the simulator's statistics (second node)."""
    intervals = [line.split()[-1] for line in stats.splitlines()
                 if line.startswith("Mean outgoing packet interval")]
    return seconds / float(intervals[1]) if len(intervals) > 1 else None


def rms(values):
    return math.sqrt(sum(x * x for x in values) / len(values))


def geometric_mean(values):
    return math.exp(sum(math.log(x) for x in values) / len(values))


def ratio_interval(pairs):
    """Geometric mean of the ratios of pairs, and its 95 % bootstrap interval over the seeds."""
    ratios = [a / b for a, b in pairs]
    generator = random.Random(1)
    means = sorted(geometric_mean(generator.choices(ratios, k=len(ratios)))
                   for _ in range(BOOTSTRAPS))
    return (geometric_mean(ratios), means[int(0.025 * BOOTSTRAPS)],
            means[int(0.975 * BOOTSTRAPS) - 1])


def si(value, unit):
    if value == 0:
        return f"0 {unit}"
    for scale, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if value >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value / 1e-12:.3g} p{unit}"


class Results:
    def __init__(self, runs):
        self.by_key = {(r["cell"], r["contestant"], r["seed"]): r for r in runs}
        self.cells = list(dict.fromkeys(r["cell"] for r in runs))

    def values(self, cell, contestant, figure):
        return {k[2]: r[figure] for k, r in self.by_key.items()
                if k[0] == cell and k[1] == contestant}

    def contestants(self, cell):
        return list(dict.fromkeys(k[1] for k in self.by_key if k[0] == cell))

    def mean(self, cell, contestant, figure):
        return geometric_mean(list(self.values(cell, contestant, figure).values()))

    def best_chronyd(self, cell):
        """The variant with the smallest mean: chosen in hindsight, to chronyd's advantage."""
        theirs = [c for c in self.contestants(cell) if c.startswith("chronyd")]
        return min(theirs, key=lambda c: self.mean(cell, c, "rms")) if theirs else None

    def ratio(self, cell, theirs, ours, figure):
        a, b = self.values(cell, theirs, figure), self.values(cell, ours, figure)
        pairs = [(a[s], b[s]) for s in a if s in b]
        return ratio_interval(pairs) if pairs else None


def show_ratio(ratio):
    return "-" if ratio is None else f"**{ratio[0]:.2f}** ({ratio[1]:.2f}–{ratio[2]:.2f})"


def report(results, seeds, server):
    lines = [f"{seeds} paired seeds; server: {server}. Ratios are chronyd's error over ours, "
             "geometric mean and 95 % bootstrap interval: more than 1 is better than chronyd.", ""]
    lines += ["| cell | ours | RMS | chronyd RMS | best chronyd | ratio to best | ratio to default |"
              " frequency ratio | p99 ratio | max ratio | packets ours / chronyd |",
              "|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|"]
    for cell in results.cells:
        best = results.best_chronyd(cell)
        for ours in results.contestants(cell):
            if not ours.startswith("gnomond"):
                continue
            row = [cell, ours, si(results.mean(cell, ours, "rms"), "s")]
            default = "chronyd" if "chronyd" in results.contestants(cell) else None
            row.append(si(results.mean(cell, default, "rms"), "s") if default else "-")
            row.append(f"{best[8:] or 'default'} {si(results.mean(cell, best, 'rms'), 's')}"
                       if best else "-")
            row.append(show_ratio(results.ratio(cell, best, ours, "rms")))
            row.append(show_ratio(results.ratio(cell, default, ours, "rms")))
            row.append(show_ratio(results.ratio(cell, default, ours, "frequency_rms")))
            for figure in ("p99", "max"):
                ratio = results.ratio(cell, default, ours, figure)
                row.append(f"{ratio[0]:.2f}" if ratio else "-")
            row.append(" / ".join(packets_shown(results, cell, c) for c in (ours, default)))
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def packets_shown(results, cell, contestant):
    counts = [v for v in results.values(cell, contestant, "packets").values() if v is not None]
    return f"{sum(counts) / len(counts):.0f}" if counts else "-"


def plot(results):
    """Ratios to the best chronyd as bars with intervals, logarithmic."""
    rows = []
    for cell in results.cells:
        best = results.best_chronyd(cell)
        for ours in results.contestants(cell):
            if ours.startswith("gnomond") and best:
                rows.append((cell, ours, results.ratio(cell, best, ours, "rms")))
    left, right, step, top = 330, 860, 22, 50
    low, high = 0.5, max([2.0] + [r[2][2] for r in rows]) * 1.1

    def x(value):
        value = min(max(value, low), high)
        return left + (right - left) * math.log(value / low) / math.log(high / low)

    height = top + step * len(rows) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{right + 40}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{right + 40}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="20">RMS time error of the best chronyd / ours '
           '(right of 1: ours is better)</text>']
    for tick in (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12):
        if tick > high:
            break
        colour = "#444" if tick == 1 else "#ddd"
        out.append(f'<line x1="{x(tick):.1f}" y1="{top - 8}" x2="{x(tick):.1f}" '
                   f'y2="{height - 25}" stroke="{colour}"/>')
        out.append(f'<text x="{x(tick):.1f}" y="{top - 12}" text-anchor="middle">{tick:g}</text>')
    colours = {"gnomond": "#1f6fb2", "gnomond emg": "#1f6fb2", "gnomond kalman": "#999999",
               "gnomond regression": "#c58b2a"}
    for number, (cell, ours, ratio) in enumerate(rows):
        y = top + step * number
        a, b = sorted((x(1.0), x(ratio[0])))
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{cell} ({ours[8:] or "default"})'
                   '</text>')
        out.append(f'<rect x="{a:.1f}" y="{y + 3}" width="{max(b - a, 1):.1f}" height="{step - 8}" '
                   f'fill="{colours.get(ours, "#1f6fb2")}"/>')
        out.append(f'<line x1="{x(ratio[1]):.1f}" y1="{y + 10}" x2="{x(ratio[2]):.1f}" '
                   f'y2="{y + 10}" stroke="black" stroke-width="2"/>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIP)


def find_programs(build):
    chrony = os.environ.get("GNOMON_CHRONY_SOURCE")
    clknetsim = os.environ.get("GNOMON_CLKNETSIM")
    if not chrony:
        skip("GNOMON_CHRONY_SOURCE names no chrony checkout")
    if not clknetsim:
        skip("GNOMON_CLKNETSIM names no clknetsim checkout")
    chrony, clknetsim = Path(chrony).resolve(), Path(clknetsim).resolve()
    if not os.access(chrony / "chronyd", os.X_OK):
        skip(f"{chrony} holds no built chronyd")
    if not (clknetsim / "clknetsim.so").exists():
        skip(f"{clknetsim} is not built")
    gnomond = Path(build).resolve() / "bin" / "gnomond"
    if not os.access(gnomond, os.X_OK):
        sys.exit(f"no {gnomond}: build it first")
    return {"chronyd": chrony / "chronyd", "gnomond": gnomond}, clknetsim


def earlier_runs(arguments, jobs):
    """Those of the runs that are wanted now; ours change, chronyd's do not."""
    if not arguments.reuse:
        return []
    wanted = {(cell_name(*j[:3]), j[3], j[4]) for j in jobs}
    with open(arguments.reuse, encoding="utf-8") as file:
        runs = json.load(file)
    return [r for r in runs if r["contestant"].startswith("chronyd")
            and (r["cell"], r["contestant"], r["seed"]) in wanted]


def save(directory, name, text):
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        write_text(Path(directory) / name, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--cells", default="", help="only cells whose name holds one of these, "
                        "separated by ';' (every part between ',' must match)")
    parser.add_argument("--contestants", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--server", choices=("chronyd", "gnomond"), default="chronyd")
    parser.add_argument("--polls", type=int, default=0, help="polls that are measured")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", default="")
    parser.add_argument("--reuse", default="")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()

    wanted = [[p.strip() for p in c.split(",")] for c in arguments.cells.split(";") if c.strip()]
    cells = [c for c in all_cells()
             if not wanted or any(all(p in cell_name(*c).split(", ") or p in cell_name(*c)
                                      for p in parts) for parts in wanted)]
    if arguments.list:
        print("\n".join(cell_name(*c) for c in cells))
        return 0
    programs, clknetsim = find_programs(arguments.build)
    named = [c for c in arguments.contestants.split(",") if c]
    unknown = [c for c in named if c not in CONTESTANTS]
    if unknown:
        sys.exit(f"unknown contestants {unknown}; there are: {', '.join(CONTESTANTS)}")
    jobs = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for jitter, wander, poll in cells:
            settle, counted = polls_of(poll)
            counted = arguments.polls or counted
            for name in contestants_of(poll, named):
                jobs.append((jitter, wander, poll, name, seed, settle, counted, arguments.server,
                             programs, clknetsim))
    runs, started = earlier_runs(arguments, jobs), time.monotonic()
    done = {(r["cell"], r["contestant"], r["seed"]) for r in runs}
    jobs = [j for j in jobs if (cell_name(*j[:3]), j[3], j[4]) not in done]
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        for run in pool.map(one_run, jobs):
            runs.append(run)
            if len(runs) % 50 == 0:
                save(arguments.output, "runs.json", json.dumps(runs, indent=0))
            if sys.stderr.isatty():
                print(f"\r{len(runs)}/{len(jobs)}", end="", file=sys.stderr)
    order = {cell_name(*c): i for i, c in enumerate(cells)}
    runs.sort(key=lambda r: order[r["cell"]])
    results = Results(runs)
    text = report(results, arguments.seeds, arguments.server)
    print(text)
    print(f"{len(jobs)} runs in {time.monotonic() - started:.0f} s", file=sys.stderr)
    save(arguments.output, "report.md", text)
    save(arguments.output, "ratios.svg", plot(results))
    save(arguments.output, "runs.json", json.dumps(runs, indent=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
