"""Where a requantization steps from one output to the next, and the proof that something else steps at the same sums.

A requantization only ascends with the sum, and it has 256 outputs: so it is the same function as anything else that
ascends and that steps at the same sums, of which there are at most 255. All that does it with fewer instructions
(midge.kernels.steep_sums, one_multiply, two_products) is searched and proved by these steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from midge.ir.tensor import Array
from midge.numerics.requantize import Requantization

FAR = 1 << 31
"""Stands for the first sum of an output that every sum reaches (-FAR), or none does."""


LEVELS = np.arange(-128, 129)
"""Every int8, and one that is never reached."""


def first_sums(r: Requantization, multipliers: Array, right: Array, levels: Array = LEVELS) -> Array:
    """The smallest sum whose output is the level or more, (channels, levels), int64.

    From the definition (midge.numerics.fixed_point): v or more, relative to the zero point, asks of the high product
    v * 2^right, less half of 2^right, and one more where v is not positive, since halves go away from zero; and the
    high product is floor((sum * multiplier + 2^30) / 2^31). `right` is not negative and at most 31.
    """
    v, e = (levels - r.zero_point)[None, :].astype(np.int64), right[:, None].astype(np.int64)
    m = multipliers[:, None].astype(np.int64)
    # |high product| <= |sum| < 2^31: what is beyond is never reached.
    wanted = np.clip((v << e) - (1 << e >> 1) + ((v <= 0) & (e > 0)), -FAR, FAR)
    first = -(((1 << 30) - (wanted << 31)) // np.maximum(m, 1))
    first = np.where(m > 0, first, np.where(v <= 0, -FAR, FAR))
    return np.where(r.low >= levels, -FAR, np.where(r.high < levels, FAR, first))


def is_same(r: Requantization, apply: Callable[[Array], Array], steps: Array, least: Array, most: Array) -> bool:
    """Whether `apply` and the definition are equal on least..most of each channel; both ascend there.

    They are compared at the ends and on both sides of every step (channels, steps); between two such places that are
    not adjacent the definition must not change, so that what equals it at both cannot either.
    """
    places = np.sort(np.concatenate([least[:, None], most[:, None], steps, steps - 1], axis=1), axis=1)
    places = np.clip(places, least[:, None], most[:, None]).T
    expected = np.asarray(r.apply(places))
    gaps = (np.diff(places, axis=0) > 1) & (np.diff(expected, axis=0) != 0)
    return bool((apply(places) == expected).all() and not gaps.any())
