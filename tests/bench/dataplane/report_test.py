#!/usr/bin/env python3
"""The report of `scripts/bench dataplane`: medians, ratios by round, marks and verdicts, from made-up figures."""
import pathlib
import tempfile
import unittest

import measures
import report


def subject(per_cpu_s, limited=False, p99=1000.0):
    return {"flat_rps_off": {"rate": 2 * per_cpu_s, "per_cpu_s": per_cpu_s, "generator_limited": limited},
            "ladder_rps_off": {"rate": per_cpu_s / 2, "generator_limited": limited},
            "zero_idle": {"offset_p99": p99, "offset_median": p99 / 4}}


def data(*rounds, unavailable=None):
    return {"conditions": {
        "date": "2020-01-01", "kernel": "k", "cores": 2, "commit": "c", "processor": "p", "load_before": 0.1,
        "load_after": 1.0, "seconds": 9, "chronyd": "4.3", "rounds": len(rounds), "quick": False,
        "generator": {"packets": 1e6, "frames": 5e6}, "unavailable": unavailable or {}, "paced_rate": 1,
        "clients": 1, "many_clients": 2, "priority": "nice"}, "rounds": list(rounds), "memory": {}}


class FiguresTest(unittest.TestCase):
    def test_ratios_are_of_figures_of_the_same_round(self):
        # Machine half as fast in the second round: the ratio of medians would be 3, that of rounds is 2.
        figures = report.Figures(data({"chronyd": subject(100), "af_xdp": subject(200)},
                                      {"chronyd": subject(50), "af_xdp": subject(100)},
                                      {"chronyd": subject(50), "af_xdp": subject(150)}))
        self.assertEqual(figures.ratio("af_xdp", "chronyd", "flat_rps_off", "per_cpu_s"), 2)

    def test_missing_figures_are_left_out(self):
        figures = report.Figures(data({"chronyd": subject(100)}, {"chronyd": {"failed": "it died"}}))
        self.assertEqual(figures.median("chronyd", "flat_rps_off", "per_cpu_s"), 100)
        self.assertIsNone(figures.median("af_xdp", "flat_rps_off", "per_cpu_s"))
        self.assertIsNone(figures.ratio("af_xdp", "chronyd", "flat_rps_off", "per_cpu_s"))

    def test_not_a_number_is_no_figure(self):
        figures = report.Figures(data({"many": {"chronyd": {"paced_share": float("nan")}}}))
        self.assertIsNone(figures.median("many", "chronyd", "paced_share"))


class ReportTest(unittest.TestCase):
    def verdict(self, text, words):
        return next(line.split("|")[-2].strip() for line in text.splitlines() if line.startswith(f"| {words}"))

    def test_verdicts(self):
        text = report.write(data({"chronyd": subject(100), "sockets": subject(120, p99=400.0),
                                  "af_packet": subject(150), "af_xdp": subject(250)}))
        words = "responses per CPU second beside chronyd"
        self.assertEqual(self.verdict(text, f"gnomond, DPDK af_xdp, RPS off: {words}"), "met")
        self.assertEqual(self.verdict(text, f"gnomond, DPDK af_packet, RPS off: {words}"), "**missed**")
        self.assertEqual(self.verdict(text, f"gnomond, DPDK af_xdp, RPS on: {words}"), "not measured")
        self.assertEqual(self.verdict(text, "gnomond, sockets, one worker, idle: 99th"), "met")
        self.assertEqual(self.verdict(text, "gnomond, DPDK af_xdp, idle: 99th"), "**missed**")

    def test_a_limit_of_the_generator_is_no_miss_and_is_marked(self):
        text = report.write(data({"chronyd": subject(100), "af_xdp": subject(150, limited=True)}))
        self.assertEqual(self.verdict(text, "gnomond, DPDK af_xdp, RPS off: responses per CPU"), "not measured")
        self.assertIn("(generator)", text)

    def test_who_was_left_out_is_named_with_the_reason(self):
        self.assertIn("af_xdp was left out: no such directive",
                      report.write(data({"chronyd": subject(1)}, unavailable={"af_xdp": "no such directive"})))

    def test_what_people_wrote_stays(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "report.md"
            self.assertEqual(report.notes_of(path), "")
            path.write_text("# Old\n\n## Targets\n\nold table\n\n## Reading it\n\nWords.\n")
            self.assertEqual(report.notes_of(path), "\n## Reading it\n\nWords.\n")


class FakeLab:
    """Answers everything up to a rate; the generator makes so much at most."""

    def __init__(self, most, generator=1e9):
        self.most, self.generator, self.runs = most, generator, 0

    def load(self, rate, seconds, **_):
        self.runs += 1
        sent = min(rate, self.generator) * seconds
        return {"sent": sent, "answered": sent if sent / seconds <= self.most else self.most * seconds * 0.9}


class LadderTest(unittest.TestCase):
    def test_finds_the_highest_rung_from_wherever_it_begins(self):
        for most in (12_000, 57_000, 300_000, 700_000):
            wanted = max(r for r in measures.RUNGS if r <= most)
            for start in (None, 0, 20, 40, len(measures.RUNGS) - 1):
                lab = FakeLab(most)
                found = measures.Ladder(lab, 0.1).climb(start)
                self.assertEqual(found["rate"], wanted)
                self.assertFalse(found["generator_limited"])
                self.assertLess(lab.runs, 40)

    def test_tells_when_the_generator_gave_out(self):
        found = measures.Ladder(FakeLab(1e9, generator=200_000), 0.1).climb(None)
        self.assertTrue(found["generator_limited"])
        self.assertGreater(found["rate"], 180_000)

    def test_a_server_that_answers_nothing(self):
        self.assertEqual(measures.Ladder(FakeLab(0), 0.1).climb(None)["rate"], 0.0)


if __name__ == "__main__":
    unittest.main()
