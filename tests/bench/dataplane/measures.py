"""What is measured of a running server. Every function returns a dictionary of figures."""
import math
import time

from lab import KEYS, cpu_times, say

CLIENTS = 1024
MANY_CLIENTS = 100_000
# The ladder's rungs, requests per second.
RUNGS = [round(10_000 * 1.1 ** i, -2) for i in range(54)]
LOSS_LIMIT = 0.01
# A generator that answers nearly everything it is sent was not pushed to its limit.
GENERATOR_LIMITED = 0.98


def flat_out(lab, seconds, **options):
    """More than the server can take. Counted while the load is on; CPU time is the server process's,
    with what its core did in soft interrupts on its account."""
    cpu, core = lab.cpu_s(), cpu_times(0)
    result = lab.load(seconds=seconds, **{"via": "frames", "clients": CLIENTS, **options})
    cpu, after = lab.cpu_s() - cpu, cpu_times(0)
    total = max(1, after[0] - core[0])
    answered = result["answered"]
    rate = result["answered_meanwhile"] / result["seconds"]
    return {
        "rate": rate,
        "per_cpu_s": answered / cpu if cpu > 0 else 0.0,
        "cpu_share": cpu / result["seconds"],
        "softirq_share": (after[2] - core[2]) / total,
        "busy_share": (after[1] - core[1]) / total,
        "per_core_s": rate / max(0.01, (after[1] - core[1]) / total),
        "offered": result["sent"] / result["seconds"],
        "generator_limited": answered > GENERATOR_LIMITED * result["sent"],
        "kod": result["kod"],
    }


class Ladder:
    """The highest rate with less than 1 % of requests unanswered: gallops, then halves. A rung fails when
    it fails twice, so that one hiccup of a shared machine is not the server's."""

    def __init__(self, lab, seconds, **options):
        self.lab, self.seconds, self.options = lab, seconds, {"clients": CLIENTS, **options}
        # Rungs that failed because the generator did not keep up.
        self.not_reached = set()

    def holds(self, rung):
        rate = RUNGS[rung]
        for _ in range(2):
            result = self.lab.load(rate=rate, seconds=self.seconds, **self.options)
            if result["answered"] <= (1 - LOSS_LIMIT) * result["sent"]:
                continue
            if result["sent"] > 0.97 * rate * self.seconds:
                return True
            self.not_reached.add(rung)
        return False

    def climb(self, start):
        if start is None:
            start = min(range(len(RUNGS)), key=lambda i: abs(RUNGS[i] - 57_000))
        step, low, high = 4, None, None
        if self.holds(start):
            low = start
            while high is None:
                higher = min(low + step, len(RUNGS))
                if higher < len(RUNGS) and self.holds(higher):
                    low = higher
                else:
                    high = higher
        else:
            high = start
            while low is None and high > 0:
                lower = max(0, high - step)
                if self.holds(lower):
                    low = lower
                else:
                    high = lower
            if low is None:
                return {"rate": 0.0, "rung": 0, "generator_limited": False}
        while high - low > 1:
            middle = (low + high) // 2
            if self.holds(middle):
                low = middle
            else:
                high = middle
        return {"rate": RUNGS[low], "rung": low, "generator_limited": high in self.not_reached}


def zero_offset(lab, count, load_rate=0.0, interleaved=False):
    """Offsets and latencies as a client sees them that shares the server's clock, alone or beside a load."""
    interval_us = 200
    load = None
    if load_rate > 0:
        # Each exchange takes a bit more than the interval.
        load = lab.load_in_background(rate=load_rate, seconds=count * interval_us * 1e-6 * 2.5 + 0.3,
                                      clients=CLIENTS)
        time.sleep(0.15)
    try:
        result = lab.zero(count, interval_us, interleaved)
    finally:
        if load is not None:
            load.terminate()
            load.wait()
    return result or {}


def authenticated(lab, seconds):
    """Responses per processor second with a MAC of each type, flat out."""
    figures = {}
    for kind, (number, secret) in KEYS.items():
        result = flat_out(lab, seconds, key=f"{kind}:{secret}", key_id=number)
        figures[kind] = {key: result[key] for key in ("rate", "per_cpu_s", "generator_limited")}
    return figures


def many_clients(lab, seconds, paced_rate):
    """Interleaved mode with very many clients: share of eligible answers that are interleaved, paced and
    flat out, and the rate beside that of basic mode."""
    basic = flat_out(lab, seconds, clients=MANY_CLIENTS)
    paced = lab.load(interleaved=True, clients=MANY_CLIENTS, warm_seconds=3, rate=paced_rate,
                     seconds=MANY_CLIENTS / paced_rate)
    flat = lab.load(interleaved=True, clients=MANY_CLIENTS, warm_seconds=3, via="frames", seconds=seconds)
    return {
        "paced_share": _share(paced), "paced_eligible": paced["eligible"],
        "paced_loss": 1 - paced["answered"] / max(1, paced["sent"]),
        "flat_share": _share(flat), "rate": flat["answered_meanwhile"] / flat["seconds"],
        "basic_rate": basic["rate"],
        "of_basic": flat["answered_meanwhile"] / flat["seconds"] / max(1.0, basic["rate"]),
        "generator_limited": flat["answered"] > GENERATOR_LIMITED * flat["sent"],
    }


def _share(result):
    answered = result["interleaved"] + result["missed"]
    return result["interleaved"] / answered if answered else math.nan


def generator_limits(lab):
    """What the load generator makes when requests end at the server's interface."""
    figures = {}
    lab.network.drop_at_server(True)
    try:
        for via in ("packets", "frames"):
            result = lab.load(via=via, seconds=0.5, clients=CLIENTS, drain_ms=1)
            figures[via] = result["sent"] / result["seconds"]
    finally:
        lab.network.drop_at_server(False)
    say(f"the generator alone: {figures['packets']:.0f} packets/s, {figures['frames']:.0f} frames/s")
    return figures
