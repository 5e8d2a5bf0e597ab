"""Linear least squares for the outputs of a layer, each with its own weights that stay: two forms of the same thing.

`Sums` adds up products of rows, a square of the inputs: any number of rows. `Rows` keeps the rows themselves, for
layers of more inputs than rows, and solves for as many unknowns as there are weights or rows, whichever are fewer:
w = w0 + X^T (X X^T + p I)^-1 (t - X w0) is the same minimum of |X w - t|^2 + p |w - w0|^2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from midge.ir.tensor import Array

# What pulls weights to where they were, beside the mean energy of a column: data that says nothing changes nothing.
_PULL = 1e-3
# So many values of rows are kept of a layer, 64 MB.
_MOST_VALUES = 1 << 23
# Products of so many columns are always added up, of so many where there are rows enough.
_ALWAYS, _MOST_COLUMNS = 2048, 4096


def is_summed(columns: int, rows: int) -> bool:
    """Whether products are added up for a layer of so many inputs, of which so many rows are seen; else rows are
    kept, most_rows() of them."""
    return columns <= _ALWAYS or columns <= min(4 * rows, _MOST_COLUMNS)


def most_rows(columns: int) -> int:
    """So many rows of so many values are kept."""
    return max(1, _MOST_VALUES // columns)


@dataclass(frozen=True, eq=False)
class Sums:
    """`square` (G, C, C): rows times rows; `cross` (G, C, O): rows times what is wanted."""

    square: Array
    cross: Array

    def errors(self, weights: Array) -> Array:
        """The sum of squared errors of each output (G, O), less what is the same for all weights (G, C, O)."""
        errors: Array = (weights * (self.square @ weights - 2 * self.cross)).sum(axis=1)
        return errors

    def solved(self, weights: Array, free: Array) -> Array:
        """The best weights (G, C, O) where those that are not `free` (bool) stay as they are, which is zero."""
        both = weights.copy()
        for group, square in enumerate(self.square):
            pull = _pull(np.diag(square))
            for stays, outputs in _supports(free[group]):
                system = square[np.ix_(stays, stays)] + pull * np.eye(int(stays.sum()))
                start = both[group][np.ix_(stays, outputs)]
                found = np.linalg.solve(system, self.cross[group][np.ix_(stays, outputs)] + pull * start)
                both[group][np.ix_(stays, outputs)] = found
        return both


@dataclass(frozen=True, eq=False)
class Rows:
    """`rows` (G, N, C) and what is wanted of them, `targets` (G, N, O)."""

    rows: Array
    targets: Array

    def errors(self, weights: Array) -> Array:
        """As those of Sums."""
        errors: Array = ((self.rows @ weights - self.targets) ** 2).sum(axis=1) - self._constant
        return errors

    def solved(self, weights: Array, free: Array) -> Array:
        """As that of Sums."""
        both = weights.copy()
        for group, rows in enumerate(self.rows):
            pull = _pull((rows**2).sum(axis=0))
            for stays, outputs in _supports(free[group]):
                some = rows[:, stays]
                start = both[group][np.ix_(stays, outputs)]
                missing = self.targets[group][:, outputs] - some @ start
                both[group][np.ix_(stays, outputs)] = start + _change(some, missing, pull)
        return both

    @cached_property
    def _constant(self) -> Array:
        found: Array = (self.targets**2).sum(axis=1)
        return found


def _pull(energies: Array) -> float:
    return _PULL * float(energies.mean()) + float(np.finfo(np.float64).tiny)


def _supports(free: Array) -> Iterator[tuple[Array, Array]]:
    """What stays (bool by column), and the outputs of which it does."""
    by_support: dict[bytes, list[int]] = {}
    for output in range(free.shape[1]):
        by_support.setdefault(free[:, output].tobytes(), []).append(output)
    for outputs in by_support.values():
        yield free[:, outputs[0]], np.array(outputs)


def _change(rows: Array, missing: Array, pull: float) -> Array:
    """The change of weights that gives what is missing, small by `pull`."""
    count, columns = rows.shape
    if columns <= count:
        return np.asarray(np.linalg.solve(rows.T @ rows + pull * np.eye(columns), rows.T @ missing))
    return np.asarray(rows.T @ np.linalg.solve(rows @ rows.T + pull * np.eye(count), missing))


def inverse_diagonal(rows: Array, added: float) -> Array:
    """The diagonal of (X^T X + added I)^-1 for rows X (N, C), without a square of the columns where rows are fewer."""
    count, columns = rows.shape
    if columns <= count:
        return np.asarray(np.diag(np.linalg.inv(rows.T @ rows + added * np.eye(columns))))
    made_up_for = np.linalg.solve(rows @ rows.T + added * np.eye(count), rows)
    return np.asarray((1 - (rows * made_up_for).sum(axis=0)) / added)
