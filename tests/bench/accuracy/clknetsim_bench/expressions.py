"""Number-generating expressions of clknetsim, and the files of numbers that some of them read.

Delays are evaluated once per packet, frequencies once per second. A file's numbers are made from
the seed before the run; in an expression its name stands in braces, {steps} for instance.
"""

import random
from collections.abc import Callable, Iterator

BASE_S = 1e-4
DROPPED = -1.0


def exponential(mean_s: float, base_s: float = BASE_S) -> str:
    return f"(+ {base_s} (* {mean_s} (exponential)))"


def gauss(deviation_s: float, base_s: float = BASE_S) -> str:
    return f"(+ {base_s} (* {deviation_s} (normal)))"


def gamma(shape: int, scale_s: float, base_s: float = BASE_S) -> str:
    """A sum of `shape` exponentials of mean `scale_s`."""
    return f"(+ {base_s} (* {scale_s} (+ {' '.join(['(exponential)'] * shape)})))"


def with_outliers(deviation_s: float, probability: float, mean_s: float) -> str:
    """Gaussian, and now and then an exponential delay in addition."""
    return (f"(+ {BASE_S} (* {deviation_s} (normal)) "
            f"(* {mean_s} (exponential) (equal {probability} (uniform) 0)))")


def lost(delay: str, probability: float) -> str:
    return f"(+ {delay} (* {DROPPED} (equal {probability} (uniform) 0)))"


def higher_every_other(delay: str, step_s: float, half_period_s: int) -> str:
    """A path whose delay jumps up by `step_s` after half a period, and back after another."""
    within = f"(% time {2 * half_period_s})"
    return f"(+ {delay} (* {step_s} (equal 0.1 (max {within} {half_period_s}) {within})))"


def silent_after(delay: str, time_s: int) -> str:
    return f"(+ {delay} (* {DROPPED} (equal 0.1 (max time {time_s}) time)))"


def walk(wander: str | float, start: float = 1e-5, further: str = "") -> str:
    """A random walk of frequency; `wander` in s/s per sqrt(s), a number or an expression."""
    return f'(+ {start} (sum (* {wander} (file "{{steps}}"))) {further})'.replace(" )", ")")


def sine(amplitude: float, period_s: int) -> str:
    return f"(* {amplitude} (sine {period_s}))"


def switching(low: float, high: float, each_s: int) -> str:
    """`high` for `each_s` seconds, `low` as long, and again."""
    return f"(+ {(high + low) / 2} (* {(high - low) / 2} (pulse {each_s} {each_s})))"


def normal_steps(generator: random.Random) -> Iterator[float]:
    while True:
        yield generator.gauss(0.0, 1.0)


def lognormal_20us(generator: random.Random) -> Iterator[float]:
    """Lognormal queueing delay, median 20 us, sigma 1."""
    while True:
        yield 20e-6 * generator.lognormvariate(0.0, 1.0)


def bursty_queue(generator: random.Random) -> Iterator[float]:
    """A queue that is empty for 60 packets in the mean and then full for 20."""
    busy = False
    while True:
        busy = generator.random() >= 1 / 20 if busy else generator.random() < 1 / 60
        yield generator.expovariate(1.0) * (1e-3 if busy else 1e-5)


# What the names in braces stand for. The number at the end makes independent sequences.
FILES: dict[str, Callable[[random.Random], Iterator[float]]] = {
    "steps": normal_steps,
    "lognormal1": lognormal_20us,
    "lognormal2": lognormal_20us,
    "bursts1": bursty_queue,
    "bursts2": bursty_queue,
}


def from_file(name: str) -> str:
    return f'(+ {BASE_S} (file "{{{name}}}"))'
