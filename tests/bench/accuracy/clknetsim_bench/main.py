"""gnomond against other time daemons in the simulator clknetsim.

Every contestant runs every cell (a network, a clock, a configuration; see cells.py) with the same
seeds; figures come from the simulator's own logs, and the bound that the contestant publishes with
its time from a node that asks it and knows the true time. All variants of chronyd run --variant-seeds
seeds; its default, the best of them in each cell and ours run all seeds.

Needs the environment GNOMON_CHRONY_SOURCE (a built chrony tree) and GNOMON_CLKNETSIM (a built clknetsim
tree); exit status 77 and the reason without them. Writes report.md, plots and runs.json to the output
directory, and the report to stdout.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from . import plots, report
from .cache import Cache
from .cells import GROUPS, Cell, all_cells
from .contestants import CONTESTANTS, DEFAULT
from .figures import read_column
from .ratios import Results
from .simulate import Job, Tools, simulate

SKIP = 77


def skip(reason: str) -> None:
    print(f"SKIP: {reason}")
    sys.exit(SKIP)


def find_tools(build: Path, observed: bool, cache: Path | None) -> Tools:
    paths = {}
    for variable in ("GNOMON_CHRONY_SOURCE", "GNOMON_CLKNETSIM"):
        if not os.environ.get(variable):
            skip(f"{variable} names no checkout")
        paths[variable] = Path(os.environ[variable]).resolve()
    chronyd = paths["GNOMON_CHRONY_SOURCE"] / "chronyd"
    if not os.access(chronyd, os.X_OK):
        skip(f"no {chronyd}: build it first")
    clknetsim = paths["GNOMON_CLKNETSIM"]
    if not (clknetsim / "clknetsim.so").exists():
        skip(f"{clknetsim} is not built")
    gnomond = build.resolve() / "bin" / "gnomond"
    if not os.access(gnomond, os.X_OK):
        sys.exit(f"no {gnomond}: build it first")
    observer = build.resolve() / "tests" / "clknetsim_observer"
    if observed and not os.access(observer, os.X_OK):
        sys.exit(f"no {observer}: build it first, or --no-observer")
    programs = {"chronyd": chronyd, "gnomond": gnomond}
    numbers = cache.resolve() / "numbers" if cache else None
    if numbers:
        numbers.mkdir(parents=True, exist_ok=True)
    return Tools(programs, clknetsim, observer if observed else None, numbers)


def without_what_chronyd_lacks(cells: list[Cell], tools: Tools) -> list[Cell]:
    """The cells of PPS need a chronyd that was configured where sys/timepps.h was (pps-tools)."""
    configured = (tools.programs["chronyd"].parent / "config.h").read_text(encoding="utf-8")
    if "#define FEAT_PPS 1" in configured:
        return cells
    print("without PPS: this chronyd was built without pps-tools", file=sys.stderr)
    return [cell for cell in cells if "refclock PPS" not in cell.directives]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [name.strip() for name in text.split(",") if name.strip()]
    parser.add_argument("--build", type=Path, default=Path("build/release"))
    parser.add_argument("--groups", type=names, default=list(GROUPS), help=", ".join(GROUPS))
    parser.add_argument("--cells", default="", help="only cells whose group and name hold this text; "
                        "every part between ',' must match, ';' separates alternatives")
    parser.add_argument("--ours", type=names, default=["gnomond"], help="or none")
    parser.add_argument("--theirs", choices=("all", "default", "cached", "none"), default="all",
                        help="chronyd with all variants, as it comes, only runs at hand, or not at all")
    parser.add_argument("--contestants", type=names, default=[], help="exactly these")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--variant-seeds", type=int, default=3)
    parser.add_argument("--server", choices=("chronyd", "gnomond"), default="chronyd")
    parser.add_argument("--no-observer", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--cache", type=Path, help="directory of finished runs")
    parser.add_argument("--reuse", type=Path, help="runs.json of an earlier report")
    parser.add_argument("--output", type=Path, help="directory for report, plots and runs.json")
    parser.add_argument("--keep", type=Path, help="directory for the logs of the last run")
    parser.add_argument("--series", default="", help="a cell whose error over time is drawn")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def wanted_cells(arguments: argparse.Namespace) -> list[Cell]:
    alternatives = [[part.strip() for part in text.split(",")]
                    for text in arguments.cells.split(";") if text.strip()]
    unknown = set(arguments.groups) - set(GROUPS)
    if unknown:
        sys.exit(f"unknown groups {', '.join(unknown)}; there are: {', '.join(GROUPS)}")
    return [cell for cell in all_cells() if cell.group in arguments.groups and
            (not alternatives or any(all(part in f"{cell.group} {cell.name}" for part in parts)
                                     for parts in alternatives))]


class Bench:
    def __init__(self, arguments: argparse.Namespace, tools: Tools):
        self.arguments = arguments
        self.tools = tools
        self.cache = Cache(arguments.cache, arguments.reuse)
        self.runs: dict[str, dict] = {}
        self.failed: set[str] = set()
        self.simulated = 0

    def job(self, cell: Cell, contestant: str, seed: int) -> Job:
        return Job(cell, CONTESTANTS[contestant], seed, self.arguments.server,
                   not self.arguments.no_observer)

    def run(self, wanted: list[tuple[Cell, str, int]], only_cached: bool = False) -> None:
        missing: list[tuple[str, Job]] = []
        for cell, contestant, seed in wanted:
            job = self.job(cell, contestant, seed)
            key = job.key(self.tools)
            if key in self.runs or key in self.failed:
                continue
            run = self.cache.get(key)
            if run is not None:
                # The same conditions may have had other names.
                self.runs[key] = {**run, "group": cell.group, "cell": cell.name,
                                  "contestant": contestant}
            elif not only_cached:
                missing.append((key, job))
        with concurrent.futures.ProcessPoolExecutor(self.arguments.jobs) as pool:
            futures = {pool.submit(simulate, job, self.tools, self.arguments.keep): (key, job)
                       for key, job in missing}
            for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
                self.finished(*futures[future], future)
                if sys.stderr.isatty() or number % 100 == 0:
                    end = "" if sys.stderr.isatty() else "\n"
                    print(f"\r{number}/{len(missing)}", end=end, file=sys.stderr)

    def finished(self, key: str, job: Job, future: concurrent.futures.Future) -> None:
        try:
            run = {"key": key, **future.result()}
        except Exception as error:  # one broken run must not cost the others
            self.failed.add(key)
            print(f"\n{job.cell.group} {job.cell.name}, {job.contestant.name}, seed {job.seed}: "
                  f"{str(error)[-500:]}", file=sys.stderr)
            return
        self.simulated += 1
        self.runs[key] = run
        self.cache.put(key, run)

    def compete(self, cells: list[Cell]) -> Results:
        arguments = self.arguments
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        few = seeds[:arguments.variant_seeds]
        if arguments.contestants:
            self.run([(c, name, s) for s in seeds for c in cells for name in arguments.contestants])
            return self.results(cells)
        ours = [name for name in arguments.ours if name != "none"]
        self.run([(c, name, s) for c in cells for name in ours for s in seeds])
        cached = arguments.theirs == "cached"
        if arguments.theirs in ("all", "cached"):
            self.run([(c, name, s) for c in cells for name in (DEFAULT, *c.variants) for s in few],
                     only_cached=cached)
        if arguments.theirs != "none":
            results = self.results(cells)
            finalists = {c.name + c.group: {DEFAULT, results.best(c) or DEFAULT} for c in cells}
            # A few seeds of everything come before many of anything.
            for first in range(0, len(seeds), 5):
                self.run([(c, name, s) for c in cells for name in sorted(finalists[c.name + c.group])
                          for s in seeds[first:first + 5]], only_cached=cached)
        return self.results(cells)

    def results(self, cells: list[Cell]) -> Results:
        return Results(cells, self.runs.values())


def draw_series(bench: Bench, cells: list[Cell], arguments: argparse.Namespace) -> None:
    """Runs one cell once more for the logs; they are too long to keep with every run."""
    cell = next((c for c in cells if arguments.series in f"{c.group} {c.name}"), None)
    if cell is None:
        sys.exit(f"no cell of this report holds '{arguments.series}'")
    series = {}
    for contestant in (DEFAULT, *arguments.ours):
        with tempfile.TemporaryDirectory() as directory:
            job = bench.job(cell, contestant, arguments.first_seed)
            simulate(job, bench.tools, Path(directory))
            offsets = read_column(Path(directory) / "offset", len(cell.servers))
            series[contestant] = offsets[cell.settle_s:]
    drawing = plots.error_over_time(f"{cell.group}: {cell.name}, seed {arguments.first_seed}", series)
    (arguments.output / "series.svg").write_text(drawing, encoding="utf-8")


def main() -> int:
    arguments = parse()
    cells = wanted_cells(arguments)
    if arguments.list:
        print("\n".join(f"{cell.group} {cell.name}" for cell in cells))
        return 0
    named = arguments.contestants + [n for n in arguments.ours if n != "none"]
    unknown = [name for name in named if name not in CONTESTANTS]
    if unknown:
        sys.exit(f"unknown contestants {unknown}; there are: {', '.join(CONTESTANTS)}")
    tools = find_tools(arguments.build, not arguments.no_observer, arguments.cache)
    cells = without_what_chronyd_lacks(cells, tools)
    bench = Bench(arguments, tools)
    started = time.monotonic()
    results = bench.compete(cells)
    text = report.markdown(results, arguments.server)
    print(text)
    print(f"{bench.simulated} runs in {time.monotonic() - started:.0f} s, {len(bench.failed)} failed",
          file=sys.stderr)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        (arguments.output / "report.md").write_text(text, encoding="utf-8")
        (arguments.output / "runs.json").write_text(json.dumps(list(bench.runs.values())),
                                                    encoding="utf-8")
        plots.write_all(results, arguments.output)
        if arguments.series:
            draw_series(bench, cells, arguments)
    return 1 if bench.failed else 0
