"""What is simulated: networks, clocks and configurations, each a named cell of a group.

Nodes are numbered servers first, then the client (the contestant), then the observer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from . import expressions as ex
from .contestants import (VARIANTS_HARDWARE, VARIANTS_OFTEN, VARIANTS_REFCLOCK, VARIANTS_SELDOM)

HOUR_S = 3600


@dataclass(frozen=True)
class Server:
    to: str  # delay of packets from the client
    back: str  # delay of packets to the client
    offset_s: float = 0.0
    directives: str = ""


@dataclass(frozen=True)
class Cell:
    group: str
    name: str
    settle_s: int  # not measured
    measured_s: int
    servers: tuple[Server, ...] = ()
    options: str = ""  # of every server line
    directives: str = ""  # {options} stands for the contestant's options
    frequency: str = ex.walk(1e-9)
    offset_s: float = 1e-3
    refclock: str = ""  # error of the reference clock
    environment: dict[str, str] = field(default_factory=dict)
    kind: str = "steady"  # or start, holdover
    variants: tuple[str, ...] = ()
    target: float = 1.5  # of the ratio to the best chronyd
    target_default: float = 0.0  # of the ratio to chronyd as it comes
    target_frequency: float = 2.0

    @property
    def observe_s(self) -> float:
        """Interval of the observer: a good thousand answers, not in step with the polls."""
        return round(max(2.3, self.measured_s / 1031), 1)

    @property
    def seconds(self) -> int:
        return self.settle_s + self.measured_s


def _lengths(poll: int) -> tuple[int, int]:
    """Settling and measured seconds: long memories at short polls need many polls."""
    polls = {0: (1500, 2500), 4: (250, 500), 6: (150, 300), 10: (60, 120)}[poll]
    return polls[0] << poll, polls[1] << poll


def _polled(group: str, name: str, poll: int, servers: tuple[Server, ...], *, longer: int = 1,
            **rest) -> Cell:
    """A cell whose servers are asked at a fixed interval."""
    settle_s, measured_s = _lengths(poll)
    arguments = {
        "options": f"minpoll {poll} maxpoll {poll} iburst",
        "variants": VARIANTS_OFTEN if poll < 4 else VARIANTS_SELDOM,
        "settle_s": settle_s, "measured_s": measured_s * longer,
    }
    arguments |= rest
    return Cell(group, f"{name}, poll {poll}", servers=servers, **arguments)


def _grid() -> list[Cell]:
    targets = {0: (2.9, 4.0), 4: (1.5, 1.8), 6: (1.5, 1.8), 10: (1.3, 1.5)}
    gauss = {(1e-10, 0): 1.15, (1e-10, 4): 1.4, (1e-10, 6): 2.0, (1e-9, 0): 1.4}
    cells = []
    for poll in (0, 4, 6, 10):
        for wander in (1e-10, 1e-9, 1e-8):
            for name, mean_s in (("10us", 1e-5), ("100us", 1e-4), ("1ms", 1e-3)):
                delay = ex.exponential(mean_s)
                best, default = targets[poll]
                if (name, wander, poll) == ("10us", 1e-8, 0):
                    best = 2.0
                cells.append(_polled("grid", f"exp {name}, wander {wander:.0e}", poll,
                                     (Server(delay, delay),), frequency=ex.walk(wander), target=best,
                                     target_default=default))
            delay = ex.gauss(5e-8)
            cells.append(_polled("grid", f"gauss 50ns, wander {wander:.0e}", poll,
                                 (Server(delay, delay),), frequency=ex.walk(wander),
                                 target=gauss.get((wander, poll), 1.0)))
    return cells


def _clock_cells() -> list[Cell]:
    delay = ex.exponential(1e-4)
    path = (Server(delay, delay),)
    cells = [_polled("robust", "wander 1e-07", poll, path, frequency=ex.walk(1e-7)) for poll in (0, 4)]
    for poll in (4, 6):
        cells.append(_polled("robust", "temperature 1e-07 3600 s", poll, path, longer=2,
                             frequency=ex.walk(1e-9, further=ex.sine(1e-7, 3600))))
        cells.append(_polled("robust", "temperature 1e-06 1800 s", poll, path, longer=2,
                             frequency=ex.walk(1e-9, further=ex.sine(1e-6, 1800))))
    cells.append(_polled("robust", "wander 1e-10 and 1e-08 in turn", 4, path, settle_s=10000,
                         measured_s=20000, frequency=ex.walk(ex.switching(1e-10, 1e-8, 10000))))
    return cells


def _path_cells() -> list[Cell]:
    base = ex.exponential(1e-4)
    stepped = ex.higher_every_other(base, 3e-4, 4000)
    lossy = ex.lost(base, 0.29)  # of each way: half of the exchanges
    return [
        _polled("robust", "path +-300us both ways", 4, (Server(stepped, stepped),), longer=2),
        _polled("robust", "path +-300us one way", 4, (Server(stepped, base),), longer=2, target=1.0),
        _polled("robust", "loss 50 %", 4, (Server(lossy, lossy),), longer=2),
        _polled("robust", "bursty queues", 4, (Server(ex.from_file("bursts1"), ex.from_file("bursts2")),),
                longer=2),
        *[_polled("robust", "forward exp 100us only", poll, (Server(base, ex.gauss(5e-8)),))
          for poll in (0, 4)],
        _polled("robust", "exp 100us against 33us", 6, (Server(base, ex.exponential(3.3e-5)),)),
    ]


def _tail_cells() -> list[Cell]:
    outliers, clean = ex.with_outliers(5e-8, 0.05, 1e-5), ex.gauss(5e-8)
    gamma3 = ex.gamma(3, 2e-5)
    return [
        *[_polled("robust", "gauss 50ns, 5 % outliers 10us", poll, (Server(outliers, outliers),))
          for poll in (0, 4)],
        _polled("robust", "gauss 50ns, forward outliers 10us", 0, (Server(outliers, clean),), target=1.0),
        _polled("robust", "lognormal 20us", 4,
                (Server(ex.from_file("lognormal1"), ex.from_file("lognormal2")),)),
        _polled("robust", "gamma3 20us", 4, (Server(gamma3, gamma3),)),
        _polled("robust", "gamma3 20us against 6us", 4, (Server(gamma3, ex.gamma(3, 6e-6)),), target=1.0),
        *[_polled("robust", "gamma10 10us against 3us", poll,
                  (Server(ex.gamma(10, 1e-5), ex.gamma(10, 3e-6)),), target=1.0) for poll in (0, 4)],
    ]


def _sources() -> list[Cell]:
    def server(mean_s: float, **rest) -> Server:
        delay = ex.exponential(mean_s, base_s=1e-3)
        return Server(delay, delay, **rest)

    honest = (server(1e-4),) * 3
    quiet = Server(ex.gauss(1e-7, base_s=2e-3), ex.gauss(1e-7, base_s=1e-3))
    mixed = (server(1e-5), server(1e-4), server(1e-3))
    return [
        *[_polled("sources", "3 honest, falseticker 5ms", poll, (*honest, server(1e-4, offset_s=5e-3)),
                  target=1.3) for poll in (4, 6)],
        *[_polled("sources", "mixed 10us 100us 1ms", poll, mixed, target=1.3) for poll in (4, 6)],
        _polled("sources", "quiet with 1ms asymmetry, 3 noisy", 6, (quiet, *((server(3e-4),) * 3))),
        _polled("sources", "one with 1ms asymmetry", 6, (quiet,), target=1.0),
    ]


def _refclocks() -> list[Cell]:
    def cell(name: str, directives: str, noise_s: float, phc: bool = False, **rest) -> Cell:
        environment = {"CLKNETSIM_PHC_DELAY": "1e-6",
                       "CLKNETSIM_PHC_JITTER": "5e-8" if phc else "1e-7"}
        return Cell("refclock", name, settle_s=2000, measured_s=8000, directives=directives, refclock=f"(* {noise_s} (normal))", environment=environment,
                    variants=VARIANTS_REFCLOCK, **rest)

    pps = "refclock SHM 0 refid NMEA noselect\nrefclock PPS /dev/pps0 lock NMEA {options}"
    noises = (("50ns", 5e-8), ("1us", 1e-6))
    cells = [cell(f"SHM {name}", "refclock SHM 0 {options}", noise) for name, noise in noises]
    cells += [cell(f"PHC {name}", "refclock PHC /dev/ptp0:nocrossts {options}", noise, phc=True)
              for name, noise in noises]
    # The simulator's pulses are exact; the noise is only that of the clock that names their seconds.
    cells.append(cell("PPS exact, SHM 1us", pps, 1e-6))
    cells.append(cell("PHC 50ns, poll 0", "refclock PHC /dev/ptp0:nocrossts poll 0 {options}", 5e-8,
                      phc=True))
    return cells


def _hwtimestamps() -> list[Cell]:
    """Both sides stamp in hardware. The noise is in every stamp and in every reading that relates that
    clock to the system's: a cross-timestamp, or one across the bus, which takes a jittery microsecond."""
    def cell(noise_ns: int, wander: float, reading: str) -> Cell:
        delay = ex.gauss(1e-9, base_s=5e-6)
        server = Server(delay, delay, directives="clockprecision 1e-9\nhwtimestamp eth0")
        option = {"cross": "", "bus": "nocrossts"}[reading]
        return _polled(
            "hwtimestamp", f"PHC {noise_ns}ns, wander {wander:.0e}, {reading}, xleave", 0, (server,),
            options="minpoll 0 maxpoll 0 xleave iburst", frequency=ex.walk(wander),
            refclock=f"(+ 10 (* {noise_ns}e-9 (normal)))",
            directives=f"clockprecision 1e-9\nhwtimestamp eth0 {option}", target=1.8,
            variants=VARIANTS_HARDWARE,
            environment={"CLKNETSIM_TIMESTAMPING": "2", "CLKNETSIM_PHC_DELAY": "1e-6",
                         "CLKNETSIM_PHC_JITTER": "1e-7", "CLKNETSIM_PHC_JITTER_ASYM": "0.4"})

    return [*[cell(50, wander, "cross") for wander in (1e-10, 1e-9, 1e-8)], cell(50, 1e-9, "bus"),
            cell(8, 1e-9, "cross"), cell(8, 1e-9, "bus")]


def _starts() -> list[Cell]:
    def cell(name: str, mean_s: float, offset_s: float, directives: str = "") -> Cell:
        delay = ex.exponential(mean_s)
        return Cell("start", name, settle_s=0, measured_s=2 * HOUR_S, kind="start",
                    servers=(Server(delay, delay),), options="iburst", directives=directives,
                    frequency=ex.walk(1e-9, start=2e-5), offset_s=offset_s, target=0.98)

    return [
        cell("cold 10ms, exp 10us", 1e-5, 1e-2),
        cell("cold 100ms, exp 10us", 1e-5, 1e-1),
        cell("cold 10ms, exp 1us", 1e-6, 1e-2),
        cell("cold 10ms, exp 100us", 1e-4, 1e-2),
        cell("cold 1s, exp 10us", 1e-5, 1.0),
        cell("cold 1s, exp 10us, makestep", 1e-5, 1.0, "makestep 0.1 3"),
    ]


def _defaults() -> list[Cell]:
    def cell(name: str, mean_s: float, options: str) -> Cell:
        delay = ex.exponential(mean_s)
        return Cell("default", name, settle_s=2 * HOUR_S, measured_s=22 * HOUR_S,
                    servers=(Server(delay, delay),), options=options, target=2.0)

    return [
        cell("plain server, exp 100us", 1e-4, ""),
        cell("plain server iburst, exp 100us", 1e-4, "iburst"),
        cell("plain server, exp 1ms", 1e-3, ""),
        cell("plain server, exp 10us", 1e-5, ""),
    ]


def _holdovers() -> list[Cell]:
    def cell(name: str, mean_s: float, frequency: str, poll: int) -> Cell:
        silent_s = 6 * HOUR_S
        delay = ex.silent_after(ex.exponential(mean_s), silent_s)
        return Cell("holdover", f"{name}, poll {poll}", settle_s=silent_s, measured_s=6 * HOUR_S,
                    kind="holdover", servers=(Server(delay, delay),),
                    options=f"minpoll {poll} maxpoll {poll} iburst", frequency=frequency, target=2.0)

    return [
        cell("6 h, exp 100us, wander 1e-11", 1e-4, ex.walk(1e-11), 6),
        cell("6 h, exp 100us, wander 1e-10", 1e-4, ex.walk(1e-10), 6),
        cell("6 h, exp 100us, wander 1e-09", 1e-4, ex.walk(1e-9), 6),
        cell("6 h, exp 1ms, wander 1e-10", 1e-3, ex.walk(1e-10), 6),
    ]


GROUPS: dict[str, Callable[[], list[Cell]]] = {
    "grid": _grid,
    "robust": lambda: _clock_cells() + _path_cells() + _tail_cells(),
    "sources": _sources,
    "refclock": _refclocks,
    "hwtimestamp": _hwtimestamps,
    "start": _starts,
    "default": _defaults,
    "holdover": _holdovers,
}


def all_cells() -> list[Cell]:
    return [cell for make in GROUPS.values() for cell in make()]
