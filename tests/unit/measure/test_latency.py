"""Least, median and 99th percentile, against the definition written out."""

import random

from midge.measure.latency import Spread, spread


def test_one_run_is_its_own_spread() -> None:
    assert spread([7]) == Spread(1, 7, 7, 7)


def test_99_of_100_runs_took_no_longer() -> None:
    ticks = list(range(1, 101))
    random.Random(1).shuffle(ticks)
    assert spread(ticks) == Spread(100, 1, 51, 99)
    for count in (2, 3, 50, 99, 101, 250, 1000):
        drawn = [random.Random(count * 7 + i).randrange(10**6) for i in range(count)]
        found = spread(drawn)
        assert 100 * sum(t <= found.p99 for t in drawn) >= 99 * count
        assert 100 * sum(t < found.p99 for t in drawn) < 99 * count
