#!/usr/bin/env python3
"""The arithmetic of clknetsim_bench: figures and ratios that a report depends on."""

import random
import tempfile
import unittest
from pathlib import Path

from clknetsim_bench import cells, figures, ratios
from clknetsim_bench.contestants import CONTESTANTS
from clknetsim_bench.simulate import network


class Figures(unittest.TestCase):
    def test_mtie_is_the_largest_range_within_any_window(self):
        generator = random.Random(3)
        for length in (20, 37, 60):
            values = [generator.gauss(0, 1) for _ in range(length)]
            plain = max(max(values[i:i + 20]) - min(values[i:i + 20]) for i in range(length - 19))
            self.assertEqual(figures.mtie(values, 20), plain)

    def test_mtie_of_a_run_shorter_than_the_window_is_unknown(self):
        self.assertIsNone(figures.mtie([0.0] * 19, 20))

    def test_an_error_that_comes_back_early_does_not_stay_below(self):
        offsets = [1.0] * 5 + [0.0] * (figures.STAY_S - 1) + [1.0] + [0.0] * figures.STAY_S
        self.assertEqual(figures.time_to_stay(offsets, 0.5), 5 + figures.STAY_S)

    def test_an_error_that_never_stays_below_has_no_time(self):
        self.assertIsNone(figures.time_to_stay([1.0, 0.0] * 1000, 0.5))

    def test_the_bound_misses_what_is_outside_and_ignores_the_settling(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "observed"
            path.write_text("1.0 9.0 1e-4 1e-5\n10.0 5e-5 1e-4 1e-5\n11.0 -7e-5 1e-4 1e-5\n")
            found = figures.bound(path, 5.0)
        self.assertEqual((found["answers"], found["missed"], found["first_miss"]), (2, 1, 11.0))

    def test_packets_to_servers_are_counted_and_replies_are_not(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "packets"
            path.write_text("1.0\t2\t1\tx\n9.0\t2\t1\tx\n9.0\t1\t2\tx\n9.5\t2\t3\tx\n")
            self.assertEqual(figures.packets_sent(path, 2, 5.0), 1)


class Ratios(unittest.TestCase):
    def test_the_interval_of_equal_ratios_is_a_point(self):
        found = ratios.ratio_of(((2.0, 1.0), (4.0, 2.0), (1.0, 0.5)))
        self.assertAlmostEqual(found.mean, 2.0)
        self.assertAlmostEqual(found.low, 2.0)
        self.assertAlmostEqual(found.high, 2.0)

    def test_a_ratio_pairs_seeds_and_the_best_is_chosen_on_common_ones(self):
        cell = cells.all_cells()[0]

        def run(contestant: str, seed: int, rms: float) -> dict:
            return {"group": cell.group, "cell": cell.name, "contestant": contestant, "seed": seed,
                    "rms": rms}

        results = ratios.Results([cell], [
            run("chronyd", 1, 4.0), run("chronyd", 2, 1.0), run("chronyd filter 16", 1, 3.0),
            run("gnomond", 1, 2.0)])
        self.assertEqual(results.best(cell), "chronyd filter 16")
        self.assertEqual(results.ratio(cell, "chronyd", "gnomond", ratios.plain("rms")).mean, 2.0)

    def test_a_variant_that_was_only_lucky_on_few_seeds_is_not_the_best(self):
        cell = cells.all_cells()[0]

        def run(contestant: str, seed: int, rms: float) -> dict:
            return {"group": cell.group, "cell": cell.name, "contestant": contestant, "seed": seed,
                    "rms": rms}

        lucky, other = "chronyd filter 16", "chronyd filter 64"
        results = ratios.Results([cell], [
            run(other, 1, 9.0), run(lucky, 1, 1.0), run(lucky, 2, 9.0), run("chronyd", 1, 2.0),
            run("chronyd", 2, 2.0)])
        self.assertEqual(results.best(cell), "chronyd")


class Cells(unittest.TestCase):
    def test_names_are_unique_and_variants_exist(self):
        names = [(cell.group, cell.name) for cell in cells.all_cells()]
        self.assertEqual(len(names), len(set(names)))
        for cell in cells.all_cells():
            self.assertLessEqual(set(cell.variants), set(CONTESTANTS))

    def test_the_simulator_can_read_every_line(self):
        for cell in cells.all_cells():
            for line in network(cell, True).splitlines():
                self.assertLess(len(line), 900, cell.name)  # its buffer holds 1000
                self.assertEqual(line.count("("), line.count(")"), cell.name)


if __name__ == "__main__":
    unittest.main()
