"""Plots of the results as SVG."""

from pathlib import Path

from .ratios import Results


def write_all(results: Results, directory: Path) -> None:
    del results, directory
