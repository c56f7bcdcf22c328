"""The report of `scripts/bench dataplane` from its figures, and what of the targets is missed."""
import math
import statistics

import memory
from lab import SUBJECTS

COLUMNS = ("chronyd", "sockets", "af_packet", "af_xdp")
MANY_COLUMNS = ("chronyd-default", "chronyd", "sockets", "af_packet", "af_xdp")
NAMES = {**SUBJECTS, "chronyd-default": "chronyd, its default log"}
RPS = (("rps_off", "RPS off"), ("rps_on", "RPS on"))


class Figures:
    """Medians over the rounds of figures that are found by a path of keys."""

    def __init__(self, data):
        self.rounds = data["rounds"]

    @staticmethod
    def _at(figures, path):
        for key in path:
            if not isinstance(figures, dict) or key not in figures:
                return None
            figures = figures[key]
        if isinstance(figures, bool) or not isinstance(figures, (int, float)) or math.isnan(figures):
            return None
        return figures

    def values(self, *path):
        return [v for v in (self._at(r, path) for r in self.rounds) if v is not None]

    def median(self, *path):
        values = self.values(*path)
        return statistics.median(values) if values else None

    def ratio(self, subject, reference, *path, group=()):
        """Median of the rounds' ratios to the reference's figure of the same round."""
        pairs = ((self._at(r, (*group, subject, *path)), self._at(r, (*group, reference, *path)))
                 for r in self.rounds)
        ratios = [a / b for a, b in pairs if a is not None and b]
        return statistics.median(ratios) if ratios else None

    def most(self, *path):
        """Whether a flag is set in more than half of the rounds."""
        flags = []
        for figures in self.rounds:
            for key in path:
                figures = figures.get(key, {}) if isinstance(figures, dict) else {}
            flags.append(figures is True)
        return sum(flags) * 2 > len(flags)


def number(value):
    if value is None:
        return "–"
    if value >= 10_000:
        return f"{value / 1000:.0f} k"
    return f"{value:.0f}"


def nanoseconds(value):
    if value is None:
        return "–"
    return f"{value / 1000:.1f} µs" if abs(value) >= 10_000 else f"{value:.0f} ns"


def times(value):
    return "–" if value is None else f"{value:.2f}"


def share(value):
    return "–" if value is None else f"{100 * value:.1f} %"


def table(heading, columns, rows):
    lines = [f"| {heading} | " + " | ".join(NAMES.get(c, c) for c in columns) + " |",
             "| --- |" + " ---: |" * len(columns)]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]
    return "\n".join(lines)


def throughput(figures):
    rows = []
    for key, words in RPS:
        flat, ladder = f"flat_{key}", f"ladder_{key}"

        def cell(subject, text, part):
            mark = " (generator)" if figures.most(subject, part, "generator_limited") else ""
            return text + mark if text != "–" else text

        rows += [
            (f"{words}: responses/s, flat out",
             [cell(s, number(figures.median(s, flat, "rate")), flat) for s in COLUMNS]),
            (f"{words}: responses per server CPU second",
             [cell(s, number(figures.median(s, flat, "per_cpu_s")), flat) for s in COLUMNS]),
            (f"{words}: … relative to chronyd",
             [times(figures.ratio(s, "chronyd", flat, "per_cpu_s")) for s in COLUMNS]),
            (f"{words}: the server's share of core 0",
             [share(figures.median(s, flat, "cpu_share")) for s in COLUMNS]),
            (f"{words}: responses per busy second of core 0, whoever was busy",
             [cell(s, number(figures.median(s, flat, "per_core_s")), flat) for s in COLUMNS]),
            (f"{words}: soft interrupts' share of core 0",
             [share(figures.median(s, flat, "softirq_share")) for s in COLUMNS]),
            (f"{words}: highest rate at < 1 % loss",
             [cell(s, number(figures.median(s, ladder, "rate")), ladder) for s in COLUMNS]),
            (f"{words}: … relative to chronyd",
             [times(figures.ratio(s, "chronyd", ladder, "rate")) for s in COLUMNS]),
        ]
    return table("throughput", COLUMNS, rows)


def offsets(figures):
    rows = []
    for key, words in (("zero_idle", "idle"), ("zero_half", "load half of chronyd's highest"),
                       ("zero_own_half", "load half of its own highest"),
                       ("zero_interleaved", "interleaved, idle"),
                       ("zero_interleaved_half", "interleaved, load half of chronyd's highest")):
        rows += [
            (f"{words}: median offset size", [nanoseconds(figures.median(s, key, "offset_median")) for s in COLUMNS]),
            (f"{words}: 99th percentile", [nanoseconds(figures.median(s, key, "offset_p99")) for s in COLUMNS]),
            (f"{words}: … relative to chronyd", [times(figures.ratio(s, "chronyd", key, "offset_p99"))
                                                for s in COLUMNS]),
        ]
    return table("offset that is not there", COLUMNS, rows)


def latencies(figures):
    rows = []
    for key, words in (("zero_idle", "idle"), ("zero_half", "load half of chronyd's highest"),
                       ("zero_own_half", "load half of its own highest")):
        rows.append((f"{words}: p50 / p99 / p99.9", [
            " / ".join(nanoseconds(figures.median(s, key, f"latency_{q}")) for q in ("p50", "p99", "p999"))
            if figures.median(s, key, "latency_p50") is not None else "–" for s in COLUMNS]))
    return table("request on the wire to reply on the wire", COLUMNS, rows)


def interleaved(figures):
    def row(words, key, form):
        return words, [form(figures.median("many", s, key)) for s in MANY_COLUMNS]
    rows = [
        row("paced: eligible answers that were interleaved", "paced_share", share),
        row("paced: requests unanswered", "paced_loss", share),
        row("flat out: eligible answers that were interleaved", "flat_share", share),
        row("flat out: responses/s, interleaved", "rate", number),
        row("flat out: responses/s, basic", "basic_rate", number),
        row("interleaved beside basic", "of_basic", times),
    ]
    return table("interleaved", MANY_COLUMNS, rows)


def authentication(figures):
    rows = []
    for kind, words in (("AES128", "AES-CMAC, AES-128"), ("SHA1", "SHA1")):
        rows += [
            (f"{words}: responses per server CPU second",
             [number(figures.median(s, "mac", kind, "per_cpu_s")) for s in COLUMNS]),
            (f"{words}: … relative to chronyd",
             [times(figures.ratio(s, "chronyd", "mac", kind, "per_cpu_s")) for s in COLUMNS]),
        ]
    return table("with a MAC", COLUMNS, rows)


def targets(figures, in_memory):
    """Each target: what it says, what was measured, whether it is met (None: not measured)."""
    found = []

    def at_least(words, value, wanted, limited=False, form=times):
        met = None if value is None else value >= wanted or (None if limited else False)
        found.append((words, form(value) + (" (generator)" if limited else ""), f"≥ {wanted:g}" if form is times else f"≥ {100 * wanted:g} %", met))

    for key, words in RPS:
        for s in ("af_packet", "af_xdp"):
            at_least(f"{NAMES[s]}, {words}: responses per CPU second beside chronyd",
                     figures.ratio(s, "chronyd", f"flat_{key}", "per_cpu_s"), 2,
                     figures.most(s, f"flat_{key}", "generator_limited"))
            at_least(f"{NAMES[s]}, {words}: rate at < 1 % loss beside chronyd",
                     figures.ratio(s, "chronyd", f"ladder_{key}", "rate"), 3,
                     figures.most(s, f"ladder_{key}", "generator_limited"))
    at_least(f"{NAMES['sockets']}, RPS off: responses per CPU second beside chronyd",
             figures.ratio("sockets", "chronyd", "flat_rps_off", "per_cpu_s"), 1.3)
    for s in COLUMNS[1:]:
        at_least(f"{NAMES[s]}, many clients: eligible answers interleaved, paced",
                 figures.median("many", s, "paced_share"), 0.9995,
                 form=lambda value: "–" if value is None else f"{100 * value:.2f} %")
        at_least(f"{NAMES[s]}, many clients: interleaved rate beside basic",
                 figures.median("many", s, "of_basic"), 0.8)
    for s in COLUMNS[1:]:
        for key, words in (("zero_idle", "idle"), ("zero_half", "half load")):
            value = figures.ratio(s, "chronyd", key, "offset_p99")
            found.append((f"{NAMES[s]}, {words}: 99th percentile of the offset beside chronyd", times(value),
                          "≤ 0.5", None if value is None else value <= 0.5))
    for words, value, wanted in memory.targets(in_memory):
        at_least(words, value, wanted)
    return found


def write(data):
    figures, c = Figures(data), data["conditions"]
    left_out = "".join(f"\n- {NAMES[name]} was left out: {reason}" for name, reason in c["unavailable"].items())
    verdicts = {True: "met", False: "**missed**", None: "not measured"}
    rows = [(words, (value, wanted, verdicts[met])) for words, value, wanted, met in targets(figures, data["memory"])]
    loaded = ("\n- **Loaded machine**: other work was on the cores; these figures are not for the record."
              if c["load_before"] > 1.5 else "")
    quick = loaded + "\n- One short round (`--quick`): for looking, not for the record." if c["quick"] else loaded
    return f"""# The dataplanes beside chronyd

Made by `scripts/bench dataplane`; figures are for people, no test depends on them.

- {c['date']}, commit {c['commit']}, kernel {c['kernel']}, {c['cores']} cores ({c['processor']}), load average
  {c['load_before']} at the start, {c['load_after']} at the end, {c['seconds']} s in all. The load at the end is
  this benchmark's own; with other work on the cores absolute figures say little.
- chronyd {c['chronyd']} as Debian builds it. All servers: `allow`, `local stratum 1`, a key file, all else
  default, the client log too; gnomond with `serverthreads 1`, its dataplanes by
  `dataplane dpdk af_packet:eth0 cores 0 ring 4096`, the same with af_xdp, and `dataplane mbufs 32768`, no huge pages.
- Medians of {c['rounds']} rounds. In each round every server is started, measured and stopped in turn: one that polls
  shares its core with nobody. Ratios are medians of the rounds' ratios.
- Server on core 0, load on core 1, {c['priority']}; a veth pair between two namespaces, GRO (and with it NAPI) on at
  the server's end. RPS off: a packet is worked on by its sender's core, so the server's core pays for the
  client's reception and the client's for the server's. RPS on: each side's by its own.
- Flat out: frames of an XDP program ({number(c['generator'].get('frames'))}/s when they end at the server's
  interface), with RPS an AF_PACKET socket ({number(c['generator'].get('packets'))}/s at most). Rates at < 1 % loss:
  the same paced, 0.3 s per rung, rungs 10 % apart. {c['clients']} clients. "(generator)": the generator was the limit, the
  server's own is higher.
- CPU seconds are of the server's process, with the soft interrupts that ran on its account; soft interrupts'
  share is by the kernel's tick, which sees all of them. A dataplane that polls takes its whole core whatever the load.
- Client and server share one clock, so every offset is an error. The client's stamps are the kernel's.{quick}{left_out}

## Throughput

{throughput(figures)}

## Interleaved mode with {c['many_clients']} clients

A client log of 128 MiB for all but the first; paced at {c['paced_rate']} requests/s. Eligible is who had two answers.

{interleaved(figures)}

## Authentication

{authentication(figures)}

## Latency

{latencies(figures)}

## Offsets

{offsets(figures)}

## In memory

{memory.report(data['memory'])}

## Targets

{table("target", ("measured", "wanted", "verdict"), rows)}
"""


def notes_of(path):
    """What people wrote below the tables stays."""
    if not path.exists():
        return ""
    text = path.read_text()
    begin = text.find("\n## Reading it")
    return text[begin:] if begin >= 0 else ""
