"""How many points of accuracy one network loses against another on the same samples, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from midge.errors import DataError
from midge.ir.tensor import Array, Tensor
from midge.measure.accuracy import BINARY, metric_for, real_values

# The 97.5 % quantile of the normal distribution: two-sided 95 %.
_QUANTILE = 1.959964


@dataclass(frozen=True)
class Paired:
    """Points lost, in percent of `samples`, with the ends of their 95 % interval.

    `lost` samples only the first network gets right, `gained` only the second; the other samples say nothing about the
    difference.
    """

    points: float
    low: float
    high: float
    samples: int
    lost: int
    gained: int

    def meets(self, limit: float) -> bool:
        """Whether at most `limit` points are lost, or no more than one sample."""
        return self.points <= limit or self.lost - self.gained <= 1


def paired(before: Array, after: Array) -> Paired:
    """From which samples are right (booleans, the same samples in the same order) before and after.

    The interval is that of Bonett and Price (Journal of Educational and Behavioral Statistics 37, 2012): Wald's with
    one sample added to both counts, which holds for few samples too. Raises DataError when the lengths differ.
    """
    if before.shape != after.shape or before.ndim != 1 or len(before) == 0:
        raise DataError("the two networks were not run on the same samples", hint="compare what both have run")
    samples = len(before)
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    one, other = (lost + 1) / (samples + 2), (gained + 1) / (samples + 2)
    reach = _QUANTILE * sqrt((one + other - (one - other) ** 2) / (samples + 2))
    middle = one - other
    low, high = max(-1.0, middle - reach), min(1.0, middle + reach)
    return Paired(100 * (lost - gained) / samples, 100 * low, 100 * high, samples, lost, gained)


def which_are_right(output: Tensor, values: Sequence[Array], labels: Array) -> Array:
    """For each sample whether its output means its label, read as midge.measure.accuracy does."""
    scores = np.stack([np.asarray(v).reshape(-1) for v in values])
    answers = real_values(output, scores[:, 0]) > 0.5 if metric_for(output) == BINARY else scores.argmax(axis=1)
    right: Array = answers == labels
    return right
