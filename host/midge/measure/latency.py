"""How the time of equal runs varies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The least, the median and the 99th percentile (the smallest that 99 of 100 runs do not exceed), in ticks."""

    runs: int
    least: int
    median: int
    p99: int


def spread(ticks: Iterable[int]) -> Spread:
    """Of the ticks of each run, of which there is one at least. Of an even number of runs the upper median."""
    ordered = sorted(ticks)
    runs = len(ordered)
    return Spread(runs, ordered[0], ordered[runs // 2], ordered[(99 * runs + 99) // 100 - 1])
