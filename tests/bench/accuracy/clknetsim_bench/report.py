"""The report: tables in markdown. Ratios above 1: ours is better than chronyd."""

from collections.abc import Iterator
from dataclasses import dataclass

from .cells import Cell
from .contestants import DEFAULT
from .ratios import (Coverage, Figure, Ratio, Results, coverage, geometric_mean, plain, start_time)

HOLDOVERS = ("after 1 h", "after 3 h", "after 6 h")
STARTS = ("below 1e-03", "below 1e-04", "below 1e-05")


@dataclass(frozen=True)
class Verdict:
    """One target of one cell, judged by the lower end of the interval."""
    cell: Cell
    ours: str
    against: str
    ratio: Ratio
    target: float

    @property
    def met(self) -> bool:
        return self.ratio.low >= self.target

    @property
    def lost(self) -> bool:
        return self.ratio.mean < 1.0

    def __str__(self) -> str:
        return f"{self.cell.group}: {self.cell.name} ({self.ours}, {self.against}): {self.ratio}"


def si(value: float | None, unit: str = "s") -> str:
    if not value:
        return "-" if value is None else f"0 {unit}"
    for scale, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if value >= scale:
            return f"{value / scale:.3g} {prefix}{unit}"
    return f"{value:.1e} {unit}"


def short(contestant: str | None) -> str:
    return "-" if contestant is None else contestant.partition(" ")[2] or "default"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    align = ["---"] + ["---:"] * (len(header) - 1)
    return ["| " + " | ".join(row) + " |" for row in (header, align, *rows)]


def row_names(results: Results, cell: Cell, ours: str) -> str:
    return cell.name if len(results.ours(cell)) == 1 else f"{cell.name} ({short(ours)})"


def contests(results: Results, *kinds: str) -> Iterator[tuple[Cell, str]]:
    for cell in results.cells:
        if cell.kind in kinds:
            for ours in results.ours(cell):
                yield cell, ours


def figures_of(cell: Cell) -> dict[str, Figure]:
    """What the cell is about, by the name of the comparison."""
    if cell.kind == "start":
        return {f"time to stay {name}": start_time(name) for name in STARTS}
    return {"RMS": plain("rms")}


def verdicts(results: Results) -> Iterator[Verdict]:
    for cell, ours in contests(results, "steady", "start", "holdover"):
        best = results.best(cell)
        for name, figure in figures_of(cell).items():
            pairs = [(best, cell.target, f"{name}, best chronyd")]
            if cell.target_default:
                pairs.append((DEFAULT, cell.target_default, f"{name}, default"))
            for theirs, target, against in pairs:
                ratio = results.ratio(cell, theirs, ours, figure)
                if ratio:
                    yield Verdict(cell, ours, against, ratio, target)
        if cell.kind == "steady":
            ratio = results.ratio(cell, DEFAULT, ours, plain("frequency_rms"))
            if ratio:
                yield Verdict(cell, ours, "frequency, default", ratio, cell.target_frequency)


def judged(ratio: Ratio | None, target: float) -> str:
    if ratio is None:
        return "-"
    return f"**{ratio}** {'met' if ratio.low >= target else 'missed'}"


def count(results: Results, cell: Cell, contestant: str, name: str) -> str:
    values = [r[name] for r in results.runs(cell, contestant).values() if r.get(name) is not None]
    if not values:
        return "-"
    mean = sum(values) / len(values)
    return f"{mean:.0f}" if mean >= 10 else f"{mean:.2f}"


def steady_table(results: Results, group: str) -> list[str]:
    rows = []
    for cell, ours in contests(results, "steady", "holdover"):
        if cell.group != group:
            continue
        best = results.best(cell)
        rms = plain("rms")
        against_default = results.ratio(cell, DEFAULT, ours, rms)
        further = [results.mean_ratio(cell, DEFAULT, ours, plain(n))
                   for n in ("frequency_rms", "p99", "max", "mtie")]
        rows.append([
            row_names(results, cell, ours), si(results.mean(cell, ours, rms)),
            si(results.mean(cell, DEFAULT, rms)),
            f"{short(best)} {si(results.mean(cell, best, rms))}",
            judged(results.ratio(cell, best, ours, rms), cell.target), f"{cell.target:g}",
            judged(against_default, cell.target_default) if cell.target_default
            else str(against_default or "-"),
            *(f"{r:.2f}" if r else "-" for r in further),
            f"{count(results, cell, ours, 'packets')} / {count(results, cell, DEFAULT, 'packets')}",
            f"{count(results, cell, ours, 'cpu_s')} / {count(results, cell, DEFAULT, 'cpu_s')}",
            str(len(results.runs(cell, ours))),
        ])
    return table(["cell", "our RMS", "chronyd RMS", "best chronyd", "best / ours", "target",
                  "default / ours", "frequency", "p99", "max", "MTIE 1000 s", "packets ours / theirs",
                  "CPU s ours / theirs", "seeds"], rows)


def start_table(results: Results) -> list[str]:
    rows = []
    for cell, ours in contests(results, "start"):
        row = [row_names(results, cell, ours)]
        for name in STARTS:
            figure = start_time(name)
            ratio = results.ratio(cell, DEFAULT, ours, figure)
            times = " / ".join(f"{results.mean(cell, c, figure) or 0:.0f} s" for c in (ours, DEFAULT))
            row.append(f"{times}: {judged(ratio, cell.target)}")
        rows.append(row)
    return table(["cell", *(f"to stay {name} s, ours / theirs: ratio" for name in STARTS)], rows)


def holdover_table(results: Results) -> list[str]:
    rows = []
    for cell, ours in contests(results, "holdover"):
        row = [row_names(results, cell, ours)]
        for name in HOLDOVERS:
            errors = [rms_over_seeds(results, cell, c, name) for c in (ours, DEFAULT)]
            row.append(" / ".join(si(e) for e in errors))
        rows.append(row)
    return table(["cell", *(f"RMS error {name}, ours / theirs" for name in HOLDOVERS)], rows)


def rms_over_seeds(results: Results, cell: Cell, contestant: str, name: str) -> float | None:
    errors = [r["holdover"][name] for r in results.runs(cell, contestant).values()]
    return (sum(e * e for e in errors) / len(errors)) ** 0.5 if errors else None


def bound_table(results: Results, group: str) -> list[str]:
    rows = []
    for cell, ours in contests(results, "steady", "start", "holdover"):
        if cell.group != group:
            continue
        mine = coverage(results.runs(cell, ours))
        theirs = coverage(results.runs(cell, DEFAULT))
        if mine is None:
            continue
        wide = width_ratio(results, cell, ours)
        rows.append([row_names(results, cell, ours), share(mine), share(theirs), si(mine.width_s),
                     si(theirs.width_s) if theirs else "-", f"{wide:.2f}" if wide else "-",
                     f"{mine.error_share:.2g}",
                     "met" if mine.holds and wide and wide <= 1.0 else "missed"])
    return table(["cell", "our bound held", "chronyd's held", "our median", "chronyd's median",
                  "ours / chronyd's", "largest error / bound", ""], rows)


def width_ratio(results: Results, cell: Cell, ours: str) -> float | None:
    a, b = results.runs(cell, ours), results.runs(cell, DEFAULT)
    ratios = [a[s]["bound"]["width"][4] / b[s]["bound"]["width"][4] for s in a
              if s in b and all(r[s].get("bound", {}).get("answers") for r in (a, b))]
    return geometric_mean(ratios) if ratios else None


def share(found: Coverage | None) -> str:
    if found is None:
        return "-"
    return f"{100 * found.share:.3f} %" if found.missed else "always"


def summary(results: Results) -> list[str]:
    found = list(verdicts(results))
    lost = [v for v in found if v.lost]
    missed = [v for v in found if not v.met and not v.lost]
    lines = [f"Targets met: {sum(v.met for v in found)} of {len(found)}.", ""]
    lines.append(f"**Losses (ratio below 1): {len(lost)}.**")
    lines += [f"- {v}; target {v.target:g}" for v in sorted(lost, key=lambda v: v.ratio.mean)]
    lines += ["", f"Targets missed without a loss: {len(missed)}."]
    lines += [f"- {v}; target {v.target:g}" for v in
              sorted(missed, key=lambda v: v.ratio.low / v.target)]
    uncovered, wider = [], []
    for cell, ours in contests(results, "steady", "start", "holdover"):
        mine = coverage(results.runs(cell, ours))
        wide = width_ratio(results, cell, ours)
        if mine and not mine.holds:
            uncovered.append(f"- {cell.group}: {cell.name} ({ours}): held {100 * mine.share:.3f} %")
        if wide and wide > 1.0:
            wider.append((wide, f"- {cell.group}: {cell.name} ({ours}): {wide:.3f} times chronyd's"))
    lines += ["", f"Cells where the published bound held in less than 99.9 %: {len(uncovered)}.", *uncovered]
    more = [f"- {cell.group}: {cell.name} ({ours}): {1 / ratio:.3f} times" for cell, ours in
            contests(results, "steady") if cell.group == "default" and
            (ratio := results.mean_ratio(cell, DEFAULT, ours, plain("packets"))) and ratio < 1]
    lines += ["", f"Cells without a fixed interval where we send more packets: {len(more)}.", *more]
    lines += ["", f"Cells where its median is wider than chronyd's: {len(wider)}.",
              *(text for _, text in sorted(wider, reverse=True))]
    return lines


def overview(results: Results) -> list[str]:
    """A line for each group: geometric means over its cells."""
    rows = []
    found = list(verdicts(results))
    for group in dict.fromkeys(cell.group for cell in results.cells):
        of_group = [(c, o) for c, o in contests(results, "steady", "start", "holdover") if c.group == group]
        row = [group, str(len(of_group))]
        for figure in ("rms", "frequency_rms"):
            for best in (True, False):
                ratios = [r for c, o in of_group if c.kind != "start" and
                          (r := results.mean_ratio(c, results.best(c) if best else DEFAULT, o,
                                                   plain(figure)))]
                row.append(f"{geometric_mean(ratios):.2f}" if ratios else "-")
        judged_here = [v for v in found if v.cell.group == group]
        row.append(f"{sum(v.met for v in judged_here)} of {len(judged_here)}")
        row.append(str(sum(v.lost for v in judged_here)))
        for contestant in (None, DEFAULT):
            covers = [k for c, o in of_group if (k := coverage(results.runs(c, contestant or o)))]
            row.append(f"{sum(k.holds for k in covers)} of {len(covers)}")
        widths = [w for c, o in of_group if (w := width_ratio(results, c, o))]
        row.append(f"{geometric_mean(widths):.2f}" if widths else "-")
        rows.append(row)
    return table(["group", "cells", "best / ours", "default / ours", "frequency: best / ours",
                  "frequency: default / ours", "targets met", "losses", "our bound held",
                  "chronyd's held", "our bound / chronyd's"], rows)


def markdown(results: Results, server: str) -> str:
    lines = [f"Server: {server}. Ratios are chronyd's error over ours, geometric mean over paired seeds "
             "and 95 % bootstrap interval; a target is met when the lower end reaches it.", ""]
    lines += overview(results) + [""] + summary(results)
    for group in dict.fromkeys(cell.group for cell in results.cells):
        lines += ["", f"## {group}", ""]
        if any(c.group == group and c.kind == "start" for c in results.cells):
            lines += start_table(results)
        else:
            lines += steady_table(results, group)
        lines += ["", *holdover_table(results)] if group == "holdover" else []
        lines += ["", f"Published bound, {group}:", "", *bound_table(results, group)]
    return "\n".join(lines) + "\n"
