"""Factors near the natural one whose steps leave room for an addend: how two_products and byte_products are found.

Both ascend with u, a sum relative to its window's start, as the definition does: they equal it when they step at the
same places. For a given factor the steps bound the addend from both sides; where nothing is left between, the next
factor is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.steps import LEVELS

LIMIT = 1 << 31
MOST_RIGHT = 30
# Beyond every addend.
_NOWHERE = 1 << 40
# What is tried, in units of the factor's last place.
NEIGHBORS = (0, *(sign * step for step in (1, 2, 3, 5, 8, 12, 18, 27, 40, 60) for sign in (1, -1)))


@dataclass(frozen=True, eq=False)
class Steps:
    """(channels, levels): the u at which each level is reached first; whether that sum must reach it, and whether the
    sum before must not. The lowest output is reached at 0, and the level above the highest one must not be reached.
    By channel the windows' starts, and the greatest u."""

    u: Array
    must: Array
    must_not: Array
    starts: Array
    lasts: Array

    @property
    def sums(self) -> Array:
        """The sums themselves at which levels are reached."""
        sums: Array = self.u + self.starts[:, None]
        return sums


@dataclass(frozen=True, eq=False)
class Found:
    """By channel: the factor, the addend, and what is taken off it below zero."""

    factors: Array
    addends: Array
    below: Array


Addends = Callable[[Steps, Array, Array], tuple[Array, Array, Array]]
"""(steps, factors, zeros) -> the addend from zero on, the one below, and whether there are both, by channel."""


def steps_of(first: Array, least: Array, most: Array) -> Steps:
    """The steps of sums least..most whose levels are reached at `first` (midge.kernels.steps)."""
    reached, beyond = first <= least[:, None], first > most[:, None]
    inside = ~reached & ~beyond
    some = inside.any(axis=1)
    starts = np.where(some, np.where(inside, first, LIMIT).min(axis=1) - 1, least)
    lasts = np.where(some, np.where(inside, first, -LIMIT).max(axis=1) - starts, 0)
    levels = np.arange(first.shape[1])
    lowest = levels == reached.sum(axis=1, keepdims=True) - 1
    above = levels == first.shape[1] - beyond.sum(axis=1, keepdims=True)
    u = np.where(inside, first - starts[:, None], np.where(above, lasts[:, None] + 1, 0))
    return Steps(u, inside | lowest, inside | above, starts, lasts)


def near_factors(
    steps: Steps, natural: Array, zeros: Array, addends_of: Addends, patience: int = len(NEIGHBORS)
) -> Found | None:
    """Factors near the natural ones that leave room for addends; None where some channel has none, or where behind
    `patience` neighbors more than half of them have none yet."""
    factors, addends, below = natural.copy(), np.zeros_like(natural), np.zeros_like(natural)
    todo = np.arange(len(natural))
    for number, neighbor in enumerate(NEIGHBORS, 1):
        tried = np.maximum(natural[todo] + neighbor * (natural[todo] > 0), 0)
        part = Steps(*(getattr(steps, f.name)[todo] for f in fields(steps)))
        upper, lower, good = addends_of(part, tried, zeros[todo])
        at = todo[good]
        factors[at], addends[at], below[at] = tried[good], upper[good], (upper - lower)[good]
        todo = todo[~good]
        if not len(todo):
            return Found(factors, addends, below)
        if len(todo) > len(natural) // 2 and number == patience:
            return None
    return None


def addends(
    steps: Steps,
    factors: Array,
    zeros: Array,
    *,
    fraction: int,
    unit: int,
    left_out: Array | int = 0,
    nearest: bool = False,
) -> tuple[Array, Array, Array]:
    """The addend from zero on, the one below, and whether there are both, in units of 2^`unit`: one for both where
    there is one, else the middles of what the steps allow, or the two that are `nearest` to each other.

    The factors have `fraction` bits of a fraction. A step must be taken even when `left_out`, the most that products
    lack, is missing, and not taken before when nothing is.
    """
    levels = (LEVELS + 128)[None, :] << fraction
    least = levels - steps.u * factors[:, None] + np.reshape(left_out, (-1, 1))
    most = levels - 1 - (steps.u - 1) * factors[:, None]
    found, used = [], []
    for rule in (np.greater_equal, np.less):
        here = rule(steps.u, zeros[:, None])
        must, must_not = steps.must & here, steps.must_not & rule(steps.u - 1, zeros[:, None])
        low = np.where(must, least, -(_NOWHERE << unit)).max(axis=1)
        high = np.where(must_not, most, _NOWHERE << unit).min(axis=1)
        # The lower bound up and the upper one down.
        found.append(_bounded(-(-low >> unit), high >> unit))
        used.append(((steps.must | steps.must_not) & here).any(axis=1))
    (low, high), (low_below, high_below) = found
    both_low, both_high = np.maximum(low, low_below), np.minimum(high, high_below)
    apart = (low, high_below) if nearest else ((low + high) >> 1, (low_below + high_below) >> 1)
    upper, lower = (np.where(both_low <= both_high, (both_low + both_high) >> 1, addend) for addend in apart)
    # A rule that no step asks for is the other one.
    upper = np.where(used[0], upper, lower)
    lower = np.where(used[1], lower, upper)
    return upper, lower, (low <= high) & (low_below <= high_below) & (lower <= upper)


def _bounded(low: Array, high: Array) -> tuple[Array, Array]:
    """Both ends; where there is but one, it is both, and 0 where there is none."""
    from_below, from_above = low > -_NOWHERE, high < _NOWHERE
    other_low = np.where(from_above, high, 0)
    other_high = np.where(from_below, low, 0)
    return np.where(from_below, low, other_low), np.where(from_above, high, other_high)
