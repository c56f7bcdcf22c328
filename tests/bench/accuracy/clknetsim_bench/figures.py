"""From the logs of a run to its figures. All errors in seconds or seconds per second."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from .cells import Cell

MTIE_WINDOW_S = 1000
STAY_S = 300
START_LIMITS_S = (1e-3, 1e-4, 1e-5)
# The observer reads timestamps of 1 ns, and the server may have randomised what is below the precision
# of its clock, 119 ns in the simulator.
OBSERVER_ERROR_S = 1.2e-7
KEPT_QUANTILES = (0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


def read_column(path: Path, index: int) -> list[float]:
    """One node's column of a log of the simulator, a line for each second."""
    with open(path, encoding="ascii") as lines:
        return [float(line.split("\t", index + 1)[index]) for line in lines]


def rms(values: Sequence[float]) -> float:
    return math.sqrt(sum(x * x for x in values) / len(values))


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]


def mtie(values: Sequence[float], window: int) -> float | None:
    """The largest peak-to-peak error within any window of so many seconds."""
    if len(values) < window:
        return None
    highest = _window_extremes(values, window, max)
    lowest = _window_extremes(values, window, min)
    return max(h - l for h, l in zip(highest, lowest))


def _window_extremes(values: Sequence[float], window: int, pick) -> Iterable[float]:
    """Running extremes by blocks of the window's length: a suffix of one and a prefix of the next."""
    prefix: list[float] = []
    suffix: list[float] = []
    for start in range(0, len(values), window):
        block = values[start:start + window]
        prefix.extend(accumulate(block, pick))
        suffix.extend(reversed(list(accumulate(reversed(block), pick))))
    return (pick(s, p) for s, p in zip(suffix, prefix[window - 1:]))


def steady(offsets: Sequence[float], frequencies: Sequence[float]) -> dict:
    sizes = sorted(abs(x) for x in offsets)
    return {
        "rms": rms(offsets), "p99": quantile(sizes, 0.99), "max": sizes[-1],
        "median": quantile(sizes, 0.5), "mean": sum(offsets) / len(offsets),
        "mtie": mtie(offsets, MTIE_WINDOW_S), "frequency_rms": rms(frequencies),
    }


def time_to_stay(offsets: Sequence[float], limit_s: float) -> int | None:
    """The first second from which the error is below the limit for STAY_S seconds."""
    since = 0
    for second, offset in enumerate(offsets):
        if abs(offset) >= limit_s:
            since = second + 1
        elif second + 1 - since >= STAY_S:
            return since
    return None


def start(offsets: Sequence[float]) -> dict:
    return {f"below {limit:.0e}": time_to_stay(offsets, limit) for limit in START_LIMITS_S}


def holdover(offsets: Sequence[float]) -> dict:
    """Error so many hours after the last packet."""
    return {f"after {hours} h": abs(offsets[min(hours * 3600, len(offsets)) - 1])
            for hours in (1, 3, 6)}


def bound(path: Path, since_s: float) -> dict:
    """Whether root delay / 2 + root dispersion of the served time covered its true error."""
    widths, used, missed, answers = [], [], 0, 0
    first_miss = None
    with open(path, encoding="ascii") as lines:
        for line in lines:
            fields = line.split()
            if len(fields) != 4 or float(fields[0]) < since_s:
                continue
            time_s, error, root_delay, root_dispersion = map(float, fields)
            width = root_delay / 2 + root_dispersion
            answers += 1
            widths.append(width)
            used.append(abs(error) / (width + OBSERVER_ERROR_S))
            if abs(error) > width + OBSERVER_ERROR_S:
                missed += 1
                first_miss = time_s if first_miss is None else first_miss
    if not answers:
        return {"answers": 0}
    widths.sort()
    used.sort()
    return {"answers": answers, "missed": missed, "first_miss": first_miss,
            "width": [quantile(widths, q) for q in KEPT_QUANTILES],
            "used": [quantile(used, q) for q in KEPT_QUANTILES]}


def packets_sent(path: Path, client: int, since_s: float) -> int:
    """To servers, that is nodes before the client, from the simulator's log of packets."""
    count = 0
    with open(path, encoding="ascii") as lines:
        for line in lines:
            time, source, target, _ = line.split("\t", 3)
            if int(source) == client and int(target) < client and float(time) >= since_s:
                count += 1
    return count


def all_figures(cell: Cell, work: Path) -> dict:
    client = len(cell.servers) + 1
    offsets = read_column(work / "offset", client - 1)[cell.settle_s:]
    frequencies = read_column(work / "frequency", client - 1)[cell.settle_s:]
    if len(offsets) < cell.measured_s - 1:
        raise RuntimeError("the simulation ended early")
    result = steady(offsets, frequencies)
    result["packets"] = packets_sent(work / "packets", client, cell.settle_s)
    if cell.kind == "start":
        result["start"] = start(offsets)
    if cell.kind == "holdover":
        result["holdover"] = holdover(offsets)
    if (work / "observed").exists():
        result["bound"] = bound(work / "observed", cell.settle_s)
    return result
