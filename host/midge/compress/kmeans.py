"""k-means of numbers on a line, some of whose centers may be pinned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_ROUNDS = 100
# Centers that move by less than this part of the whole stretch have settled.
_SETTLED = 1e-5
# More values than this are first gathered to so many, each at the mean of those nearby.
_MOST = 1 << 12


def centers(values: F64, masses: F64, count: int, pinned: Sequence[float] = ()) -> F64:
    """At most `count` centers, sorted, `pinned` among them, of little sum of masses * (value - nearest center)^2.

    Lloyd's rounds from two starts, of which the better one counts: as many values to each center, and centers evenly
    between the ends.
    """
    if len(values) > _MOST:
        values, masses = _gathered(values, masses)
    order = np.argsort(values, kind="stable")
    line = _Line(values[order], masses[order])
    free = count - len(pinned)
    if free <= 0 or not len(values):
        return np.unique(np.asarray(pinned, np.float64))
    even = np.linspace(values.min(), values.max(), free + 2)[1:-1]
    alike = line.values[((np.arange(free) + 0.5) / free * len(values)).astype(np.intp)]
    found = [_lloyd(line, start, np.asarray(pinned, np.float64)) for start in (alike, even)]
    return min(found, key=line.error)


def nearest_center(values: F64, table: F64) -> F64:
    """The center that is nearest to each value; `table` is sorted."""
    return np.asarray(table[np.searchsorted((table[1:] + table[:-1]) / 2, values)], np.float64)


def _gathered(values: F64, masses: F64) -> tuple[F64, F64]:
    low, high = float(values.min()), float(values.max())
    bins = np.minimum(((values - low) / max(high - low, 1e-300) * _MOST).astype(np.intp), _MOST - 1)
    mass: F64 = np.bincount(bins, masses, _MOST).astype(np.float64)
    first: F64 = np.bincount(bins, masses * values, _MOST).astype(np.float64)
    some = mass > 0
    return first[some] / mass[some], mass[some]


class _Line:
    """Sorted values, and the sums of masses up to each, from which those of any stretch follow."""

    def __init__(self, values: F64, masses: F64) -> None:
        self.values = values
        moments = np.stack([masses, masses * values, masses * values**2])
        self.sums = np.concatenate([np.zeros((3, 1)), np.cumsum(moments, axis=1)], axis=1)

    def parts(self, table: F64) -> F64:
        """(3, centers): mass, first and second moment of the values that are nearest to each center."""
        ends = np.searchsorted(self.values, (table[1:] + table[:-1]) / 2)
        at = np.concatenate([[0], ends, [len(self.values)]])
        return np.asarray(np.diff(self.sums[:, at], axis=1), np.float64)

    def error(self, table: F64) -> float:
        """The sum of masses times squared distances to the nearest center."""
        mass, first, second = self.parts(table)
        return float((second - 2 * table * first + table**2 * mass).sum())


def _lloyd(line: _Line, start: F64, pinned: F64) -> F64:
    table: F64 = np.unique(np.concatenate([start, pinned]))
    for _ in range(_ROUNDS):
        mass, first, _second = line.parts(table)
        moved = np.where((mass > 0) & ~np.isin(table, pinned), first / np.where(mass > 0, mass, 1), table)
        if float(np.abs(moved - table).max()) <= _SETTLED * (line.values[-1] - line.values[0]):
            break
        table = np.unique(moved)
    return table
