"""Comparing contestants over paired seeds."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from .cells import Cell
from .contestants import CONTESTANTS, DEFAULT

BOOTSTRAPS = 2000

Figure = Callable[[dict], float | None]


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(math.log(x) for x in values) / len(values))


@dataclass(frozen=True)
class Ratio:
    """Geometric mean of ratios and its 95 % bootstrap interval over the seeds."""
    mean: float
    low: float
    high: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f}–{self.high:.2f})"


@cache
def ratio_of(pairs: tuple[tuple[float, float], ...]) -> Ratio | None:
    logs = [math.log(a / b) for a, b in pairs]
    if not logs:
        return None
    generator = random.Random(1)
    count = len(logs)
    means = sorted(sum(generator.choices(logs, k=count)) / count for _ in range(BOOTSTRAPS))
    return Ratio(math.exp(sum(logs) / count), math.exp(means[int(0.025 * BOOTSTRAPS)]),
                 math.exp(means[int(0.975 * BOOTSTRAPS) - 1]), count)


def plain(name: str) -> Figure:
    return lambda run: run.get(name)


def start_time(name: str) -> Figure:
    """Seconds until the error stays below a limit; never is as long as the run."""
    return lambda run: run["start"][name] or 7200


class Results:
    def __init__(self, cells: Iterable[Cell], runs: Iterable[dict]):
        self.cells = list(cells)
        self.by_cell: dict[tuple[str, str], dict[str, dict[int, dict]]] = {}
        for run in runs:
            of_cell = self.by_cell.setdefault((run["group"], run["cell"]), {})
            of_cell.setdefault(run["contestant"], {})[run["seed"]] = run

    def runs(self, cell: Cell, contestant: str | None) -> dict[int, dict]:
        return self.by_cell.get((cell.group, cell.name), {}).get(contestant or "", {})

    def contestants(self, cell: Cell) -> list[str]:
        return list(self.by_cell.get((cell.group, cell.name), {}))

    def ours(self, cell: Cell) -> list[str]:
        return [c for c in self.contestants(cell) if CONTESTANTS[c].ours]

    def mean(self, cell: Cell, contestant: str | None, figure: Figure) -> float | None:
        values = [v for r in self.runs(cell, contestant).values() if (v := figure(r))]
        return geometric_mean(values) if values else None

    def best(self, cell: Cell) -> str | None:
        """chronyd's variant of the smallest error, chosen in hindsight, to chronyd's advantage: the best
        over the seeds that all of them ran, or the default if that is better over more seeds."""
        theirs = [c for c in self.contestants(cell) if CONTESTANTS[c].program == "chronyd"]
        winner = self._smallest(cell, theirs)
        finalists = [c for c in theirs if c in (winner, DEFAULT)]
        return self._smallest(cell, finalists) or winner

    def _smallest(self, cell: Cell, names: list[str]) -> str | None:
        """Of the smallest RMS error over the seeds that all of them ran."""
        common = set.intersection(*(set(self.runs(cell, c)) for c in names)) if names else set()
        if not common:
            return DEFAULT if DEFAULT in names else None
        return min(names, key=lambda c: sum(math.log(self.runs(cell, c)[s]["rms"]) for s in common))

    def pairs(self, cell: Cell, theirs: str | None, ours: str,
              figure: Figure) -> tuple[tuple[float, float], ...]:
        a, b = self.runs(cell, theirs), self.runs(cell, ours)
        return tuple((x, y) for seed in sorted(a) if seed in b
                     if (x := figure(a[seed])) and (y := figure(b[seed])))

    def ratio(self, cell: Cell, theirs: str | None, ours: str, figure: Figure) -> Ratio | None:
        return ratio_of(self.pairs(cell, theirs, ours, figure))

    def mean_ratio(self, cell: Cell, theirs: str | None, ours: str, figure: Figure) -> float | None:
        pairs = self.pairs(cell, theirs, ours, figure)
        return geometric_mean([a / b for a, b in pairs]) if pairs else None


@dataclass(frozen=True)
class Coverage:
    """The published bound over all seeds of a cell."""
    answers: int
    missed: int
    width_s: float  # median; geometric mean over the seeds
    error_share: float  # largest true error as a share of the bound

    @property
    def share(self) -> float:
        return 1 - self.missed / self.answers

    @property
    def holds(self) -> bool:
        return self.share >= 0.999


def coverage(runs: dict[int, dict]) -> Coverage | None:
    bounds = [r["bound"] for r in runs.values() if r.get("bound", {}).get("answers")]
    if not bounds:
        return None
    return Coverage(sum(b["answers"] for b in bounds), sum(b["missed"] for b in bounds),
                    geometric_mean([b["width"][4] for b in bounds]), max(b["used"][8] for b in bounds))
