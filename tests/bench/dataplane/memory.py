"""What is measured without a network, by programs beside this one, as far as they are built: the responder by
stage, the frame layer, a worker's whole loop over rings and over shared memory between two processes."""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

from lab import priority, say

LINE_RATE_MPPS = 10.96   # of 90-byte NTP frames at 10 Gbit/s
MEMIF_MPPS = 4.0
MEMIF_HUGEPAGES_MIB = 256


def _find(build, name):
    for program in (build / "tests" / name, build / "bin" / name):
        if os.access(program, os.X_OK):
            return program
    return None


def _run(program, arguments, joined, timeout, cores="0"):
    """The JSON that the program writes, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="gnomon-bench-") as directory:
        path = pathlib.Path(directory) / "figures.json"
        file = [f"--json={path}"] if joined else ["--json", str(path)]
        argv = [*priority(), "taskset", "-c", cores, str(program), *arguments, *file]
        try:
            result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
            return json.loads(path.read_text())
        except subprocess.TimeoutExpired:
            return {"failed": f"took longer than {timeout} s"}
        except (OSError, ValueError):
            words = (result.stderr.strip() or result.stdout.strip()).splitlines()
            return {"failed": words[-1] if words else f"exit status {result.returncode}"}


def _median_of(runs):
    """Medians of the figures of several runs; the first failure if none succeeded."""
    good = [run for run in runs if "failed" not in run]
    if not good:
        return runs[0]
    return {key: statistics.median(run[key] for run in good) if isinstance(value, (int, float)) else value
            for key, value in good[0].items()}


def measure(build, quick, repeat):
    found = {}
    program = _find(build, "responder_bench")
    if program:
        say("the responder in memory")
        found["responder"] = _run(program, ["--quick"] if quick else [], False, 180)
    program = _find(build, "frame_bench")
    if program:
        say("the frame layer in memory")
        found["frame"] = _run(program, ["--passes=3"] if quick else [], True, 180)
    program = _find(build, "dpdk_bench")
    if program:
        say("a worker's loop over rings and shared memory")
        seconds, times = ("1", 1) if quick else ("2", repeat)
        ring = [_run(program, ["ring", "--seconds", seconds], False, 60) for _ in range(times)]
        basic = [_run(program, ["ring", "--seconds", seconds, "--basic"], False, 60) for _ in range(times)]
        memif = [_run(program, ["memif", "--seconds", seconds, "--hugepages", str(MEMIF_HUGEPAGES_MIB)], False, 60,
                      cores="0,1") for _ in range(times)]
        found["ring"], found["ring_basic"], found["memif"] = map(_median_of, (ring, basic, memif))
    return found


def _table(heading, columns, rows):
    return "\n".join([f"| {heading} | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)] +
                     [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows])


def _responder(figures):
    cases = figures["cases"]
    stages = list(cases[0]["stages"])
    rows = [(case["name"], [f"{case['mpps']:.2f}", f"{case['cycles_per_packet']:.0f}"] +
             [f"{case['stages'][stage]:.0f}" for stage in stages]) for case in cases]
    return _table("responder, one core, addresses that no cache foresees", ["Mpps", "cycles"] + stages, rows)


def _frame(figures):
    hz = figures["cycles_per_second"]
    rows = [(load["name"], [f"{hz / load['cycles'] * 1e-6:.2f}", f"{load['cycles']:.0f}",
                            f"{load['responder_cycles']:.0f}" if load["responder_cycles"] else "–",
                            f"{load['cycles'] - load['responder_cycles']:.0f}" if load["responder_cycles"] else "–"])
            for load in figures["loads"]]
    return _table(f"frames, one core, {figures['clients']} clients", ["Mpps", "cycles", "responder", "frame layer"], rows)


def _worker(found):
    names = {"ring": "ring device, one core", "ring_basic": "ring device, one core, basic mode",
             "memif": "memif, two processes on two cores"}
    good = [(names[key], found[key]) for key in names if key in found and "failed" not in found[key]]
    if not good:
        return ""
    stages = [key for key in good[0][1] if key.startswith("cycles_") and key != "cycles_per_packet"]
    def cycles(figures, key):
        # The other process keeps its counters to itself.
        return f"{figures[key]:.0f}" if figures.get(key) else "–"
    rows = [(name, [f"{f['mpps']:.2f}", cycles(f, "cycles_per_packet")] + [cycles(f, stage) for stage in stages] +
             [f"{100 * f['answered']:.1f} %", f"{100 * f['interleaved']:.1f} %"]) for name, f in good]
    first = good[0][1]
    return _table(f"a worker's loop, {first['clients']:.0f} clients, {first['prefixes']:.0f} rules of access",
                  ["Mpps", "cycles"] + [s[len("cycles_"):].replace("_", " ") for s in stages] +
                  ["answered", "interleaved"], rows)


def report(found):
    parts = []
    for key, write in (("responder", _responder), ("frame", _frame)):
        if key in found and "failed" not in found[key]:
            parts.append(write(found[key]))
    parts.append(_worker(found))
    parts += [f"{key}: {figures['failed']}" for key, figures in found.items() if "failed" in figures]
    text = "\n\n".join(part for part in parts if part)
    return text + "\n\nCycles are of the processor's counter, per packet." if text else \
        "The programs that measure this are not built (scripts/build release)."


def targets(found):
    """(what, measured Mpps or None, wanted Mpps)."""
    def mpps(key):
        return found.get(key, {}).get("mpps")
    everything = next((case["mpps"] for case in found.get("responder", {}).get("cases", ())
                       if case["name"] == "everything"), None)
    return [("responder in memory, everything on, Mpps on one core", everything, LINE_RATE_MPPS),
            ("worker's loop over a ring device, everything on, Mpps on one core", mpps("ring"), LINE_RATE_MPPS),
            ("memif between two processes, Mpps answered", mpps("memif"), MEMIF_MPPS)]
