"""One run: the simulator, the servers, the contestant and the observer as processes."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from . import figures
from .cells import Cell, Server
from .contestants import Contestant
from .expressions import FILES

OBSERVER_DELAY_S = 1e-5
START_TIMEOUT_S = 60
RUN_TIMEOUT_S = 1800
# Changes whenever runs made before cannot stand beside runs made now.
FORMAT = 1


@dataclass(frozen=True)
class Tools:
    """Programs by name (chronyd, gnomond), and the simulator."""
    programs: dict[str, Path]
    clknetsim: Path
    observer: Path | None
    numbers: Path | None = None  # directory for the files that expressions read


@dataclass(frozen=True)
class Job:
    cell: Cell
    contestant: Contestant
    seed: int
    server: str = "chronyd"
    observed: bool = True

    def key(self, tools: Tools) -> str:
        """Names everything that the figures depend on."""
        cell, work, observed = self.cell, Path("work"), self.observed and tools.observer is not None
        conditions = {
            "format": FORMAT, "seed": self.seed, "settle_s": cell.settle_s,
            "measured_s": cell.measured_s, "kind": cell.kind, "environment": cell.environment,
            "observe_s": cell.observe_s if observed else None,
            "network": network(cell, observed),
            "servers": [server_configuration(s, 0, work) for s in cell.servers],
            "client": client_configuration(cell, self.contestant, work),
            "program": digest(tools.programs[self.contestant.program]),
            "server": digest(tools.programs[self.server]) if cell.servers else "",
            "simulator": digest(tools.clknetsim / "clknetsim"),
        }
        return hashlib.sha256(json.dumps(conditions, sort_keys=True).encode()).hexdigest()[:24]


_digests: dict[Path, str] = {}


def digest(program: Path) -> str:
    if program not in _digests:
        _digests[program] = hashlib.sha256(program.read_bytes()).hexdigest()[:16]
    return _digests[program]


def network(cell: Cell, observed: bool) -> str:
    """The simulator's configuration; files of numbers as names in braces."""
    client = len(cell.servers) + 1
    lines = [f"node{client}_offset = {cell.offset_s}", f"node{client}_freq = {cell.frequency}"]
    for number, server in enumerate(cell.servers, 1):
        lines += [f"node{client}_delay{number} = {server.to}",
                  f"node{number}_delay{client} = {server.back}",
                  f"node{number}_offset = {server.offset_s}"]
        if "CLKNETSIM_TIMESTAMPING" in cell.environment:
            lines.append(f"node{number}_refclock = {cell.refclock}")
    if cell.refclock:
        lines.append(f"node{client}_refclock = {cell.refclock}")
    if observed:
        delay = f"(+ {OBSERVER_DELAY_S} 0)"
        lines += [f"node{client + 1}_delay{client} = {delay}",
                  f"node{client}_delay{client + 1} = {delay}"]
    return "\n".join(lines) + "\n"


def write_files(text: str, directory: Path, seed: int, seconds: int) -> str:
    """Makes the files that an expression reads, if they are not there; returns the text with their
    paths."""
    for name, make in FILES.items():
        if f"{{{name}}}" in text:
            path = directory / f"{name}-{seed}-{seconds}"
            if not path.exists():
                numbers = make(random.Random(f"{name} {seed}"))
                temporary = path.with_suffix(f".{os.getpid()}")
                with open(temporary, "w", encoding="ascii") as out:
                    out.writelines(f"{x:.9g}\n" for x in islice(numbers, seconds + 2))
                temporary.replace(path)
            text = text.replace(f"{{{name}}}", str(path))
    return text


def server_configuration(server: Server, number: int, work: Path) -> str:
    return (f"pidfile {work}/pid.{number}\ncmdport 0\nallow\nlocal stratum 1\n"
            f"{server.directives}\n")


def client_configuration(cell: Cell, contestant: Contestant, work: Path) -> str:
    lines = [f"pidfile {work}/pid.client", "cmdport 0", "allow", contestant.directives]
    lines += [f"server 192.168.123.{number} {cell.options} {contestant.options}"
              for number in range(1, len(cell.servers) + 1)]
    lines.append(cell.directives.replace("{options}", contestant.options))
    return "\n".join(lines) + "\n"


class Processes:
    """The programs of one run; whatever happens, none survives it."""

    def __init__(self, work: Path, tools: Tools, seed: int, environment: dict[str, str]):
        self.work = work
        self.environment = dict(os.environ, **environment, CLKNETSIM_RANDOM_SEED=str(seed),
                                CLKNETSIM_SOCKET=str(work / "sock"),
                                CLKNETSIM_CONNECT_TIMEOUT=str(START_TIMEOUT_S))
        self.library = tools.clknetsim / "clknetsim.so"
        self.running: list[subprocess.Popen] = []

    def start(self, node: int, command: list[str], output: Path) -> subprocess.Popen:
        own = dict(self.environment, CLKNETSIM_NODE=str(node), LD_PRELOAD=str(self.library))
        with open(output, "wb") as log:
            process = subprocess.Popen(command, env=own, cwd=self.work, stdout=log,
                                       stderr=subprocess.STDOUT)
        self.running.append(process)
        return process

    def end(self) -> None:
        for process in self.running:
            if process.returncode is None and process.poll() is None:
                process.kill()
                process.wait()


def processor_seconds(process: subprocess.Popen) -> float:
    """Ends a program and returns the time it used, the system's included."""
    deadline = time.monotonic() + 10
    os.kill(process.pid, signal.SIGTERM)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime
        if time.monotonic() > deadline:
            process.kill()
            deadline += 10
        time.sleep(0.005)


def command(program: Path, configuration: Path) -> list[str]:
    return [str(program), "-d", "-f", str(configuration)]


def simulate(job: Job, tools: Tools, keep: Path | None = None) -> dict:
    """Figures of one run. With `keep`, its logs go to this directory."""
    work = Path(tempfile.mkdtemp(prefix="gnomon-grid-"))
    cell, client = job.cell, len(job.cell.servers) + 1
    observed = job.observed and tools.observer is not None
    processes = Processes(work, tools, job.seed, cell.environment)
    try:
        text = write_files(network(cell, observed), tools.numbers or work, job.seed, cell.seconds)
        (work / "network").write_text(text)
        for number, server in enumerate(cell.servers, 1):
            (work / f"conf.{number}").write_text(
                server_configuration(server, number, work))
            processes.start(number, command(tools.programs[job.server], work / f"conf.{number}"),
                            work / f"log.{number}")
        (work / "conf.client").write_text(client_configuration(cell, job.contestant, work))
        contestant = processes.start(
            client, command(tools.programs[job.contestant.program], work / "conf.client"),
            work / "log.client")
        if observed:
            processes.start(client + 1, [str(tools.observer), f"192.168.123.{client}",
                                         str(cell.observe_s)], work / "observed")
        nodes = client + (1 if observed else 0)
        outcome = subprocess.run(
            [str(tools.clknetsim / "clknetsim"), "-l", str(cell.seconds), "-o", str(work / "offset"),
             "-f", str(work / "frequency"), "-p", str(work / "packets"), "-s", str(work / "sock"),
             str(work / "network"), str(nodes)],
            env=processes.environment, cwd=work, capture_output=True, text=True,
            timeout=RUN_TIMEOUT_S, check=False)
        if outcome.returncode != 0:
            log = (work / "log.client").read_text(errors="replace")[-400:]
            raise RuntimeError(f"{outcome.stderr[-200:]} {log}")
        cpu_s = processor_seconds(contestant)
        for process in processes.running:
            if process is not contestant:
                process.terminate()
                process.wait(10)
        result = figures.all_figures(cell, work)
        return {"group": cell.group, "cell": cell.name, "contestant": job.contestant.name,
                "seed": job.seed, "cpu_s": cpu_s, **result}
    finally:
        processes.end()
        if keep:
            shutil.copytree(work, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("sock"))
        shutil.rmtree(work, ignore_errors=True)
