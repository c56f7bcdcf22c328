"""Plots of the results as SVG, made by hand so that nothing needs to be installed."""

import math
from collections.abc import Sequence
from pathlib import Path

from .cells import Cell
from .contestants import DEFAULT
from .ratios import Ratio, Results, coverage, plain
from .report import short, si

OURS, THEIRS, LINE, GRID = "#1f6fb2", "#c0504d", "#444444", "#dddddd"


class Drawing:
    def __init__(self, width: int, height: int):
        self.items = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      'font-family="sans-serif" font-size="12">',
                      f'<rect width="{width}" height="{height}" fill="white"/>']

    def text(self, x: float, y: float, text: str, anchor: str = "start", colour: str = "black") -> None:
        self.items.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
                          f'{text.replace("&", "&amp;").replace("<", "&lt;")}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = LINE,
             width: float = 1) -> None:
        self.items.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def bar(self, x1: float, y: float, x2: float, height: float, colour: str) -> None:
        left, right = min(x1, x2), max(x1, x2)
        self.items.append(f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(right - left, 1):.1f}" '
                          f'height="{height:.1f}" fill="{colour}"/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        self.items.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}" '
                          'fill-opacity="0.7"/>')

    def curve(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.items.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')

    def svg(self) -> str:
        return "\n".join([*self.items, "</svg>"]) + "\n"


def ratios(results: Results) -> str:
    """Ratios to the best chronyd as bars with intervals, logarithmic."""
    rows: list[tuple[Cell, str, Ratio]] = []
    for cell in results.cells:
        for ours in results.ours(cell):
            found = results.ratio(cell, results.best(cell), ours, plain("rms"))
            if found and cell.kind != "start":
                rows.append((cell, ours, found))
    left, right, step, top = 380, 900, 17, 50
    low = min([0.5] + [r.low for _, _, r in rows]) * 0.95
    high = max([2.0] + [r.high for _, _, r in rows]) * 1.05

    def x(value: float) -> float:
        return left + (right - left) * math.log(value / low) / math.log(high / low)

    height = top + step * len(rows) + 20
    drawing = Drawing(right + 40, height)
    drawing.text(left, 20, "RMS time error of the best chronyd / ours "
                 "(right of 1: ours is better; orange: target)")
    for tick in (0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50):
        if low <= tick <= high:
            drawing.line(x(tick), top - 8, x(tick), height - 15, LINE if tick == 1 else GRID)
            drawing.text(x(tick), top - 12, f"{tick:g}", "middle")
    for number, (cell, ours, found) in enumerate(rows):
        y = top + step * number
        name = cell.name if len(results.ours(cell)) == 1 else f"{cell.name} ({short(ours)})"
        drawing.text(left - 8, y + 11, f"{cell.group}: {name}", "end")
        drawing.bar(x(1.0), y + 2, x(found.mean), step - 6, OURS if found.mean >= 1 else THEIRS)
        drawing.line(x(found.low), y + 7, x(found.high), y + 7, "black", 1.5)
        if low <= cell.target <= high:
            drawing.line(x(cell.target), y, x(cell.target), y + step - 3, "#e0a000", 2)
    return drawing.svg()


def bounds(results: Results) -> str:
    """The median bound of each cell over the RMS error: above the line the bound is the larger."""
    size, margin, low, high = 560, 70, 1e-8, 1e-1
    drawing = Drawing(size + 20, size + 20)

    def at(value: float) -> float:
        return (size - margin) * math.log(min(max(value, low), high) / low) / math.log(high / low)

    for exponent in range(-8, 0):
        place = at(10.0 ** exponent)
        drawing.line(margin + place, 20, margin + place, size - margin + 20, GRID)
        drawing.line(margin, size - margin + 20 - place, size, size - margin + 20 - place, GRID)
        label = si(10.0 ** exponent)
        drawing.text(margin + place, size - margin + 36, label, "middle")
        drawing.text(margin - 6, size - margin + 24 - place, label, "end")
    drawing.line(margin, size - margin + 20, size, 20, LINE)
    drawing.text(margin, size, "RMS error of the clock (x), median published bound (y)")
    drawing.text(margin + 20, 40, "ours", colour=OURS)
    drawing.text(margin + 60, 40, "chronyd", colour=THEIRS)
    for cell in results.cells:
        for contestant in (*results.ours(cell), DEFAULT):
            error = results.mean(cell, contestant, plain("rms"))
            found = coverage(results.runs(cell, contestant))
            if error and found and cell.kind != "start":
                drawing.dot(margin + at(error), size - margin + 20 - at(found.width_s),
                            THEIRS if contestant == DEFAULT else OURS)
    return drawing.svg()


def error_over_time(title: str, series: dict[str, list[float]]) -> str:
    """The clock's error second by second, one curve for each contestant."""
    width, height, left, top = 900, 360, 70, 40
    drawing = Drawing(width + 20, height + 40)
    drawing.text(left, 20, title)
    limit = max(abs(v) for values in series.values() for v in values) or 1e-9
    longest = max(len(values) for values in series.values())

    def place(second: int, value: float) -> tuple[float, float]:
        return (left + (width - left) * second / longest,
                top + (height - top) * (0.5 - 0.5 * value / limit))

    for part in (-1.0, -0.5, 0.0, 0.5, 1.0):
        y = place(0, part * limit)[1]
        drawing.line(left, y, width, y, LINE if part == 0 else GRID)
        drawing.text(left - 6, y + 4, ("-" if part < 0 else "") + si(abs(part) * limit), "end")
    for hours in range(longest // 3600 + 1):
        x = place(hours * 3600, 0)[0]
        drawing.line(x, top, x, height, GRID)
        drawing.text(x, height + 16, f"{hours} h", "middle")
    every = max(1, longest // 2000)
    for number, (name, values) in enumerate(series.items()):
        colour = THEIRS if name.startswith("chronyd") else OURS
        drawing.curve([place(i, v) for i, v in enumerate(values) if i % every == 0], colour)
        drawing.text(left + 10 + 160 * number, top + 14, name, colour=colour)
    return drawing.svg()


def write_all(results: Results, directory: Path) -> None:
    (directory / "ratios.svg").write_text(ratios(results), encoding="utf-8")
    (directory / "bounds.svg").write_text(bounds(results), encoding="utf-8")
