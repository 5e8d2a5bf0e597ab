"""Whether outputs equal a reference: exactly for integers, within the one float tolerance otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array

# A float value agrees where |difference| <= FLOAT_TOLERANCE * (max |reference output| + |reference|).
FLOAT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Agreement:
    """How many of `values` differ from the reference, and by how much at most (in units of the type)."""

    samples: int
    values: int
    mismatches: int
    max_difference: float

    def plus(self, other: Agreement) -> Agreement:
        """Both comparisons as one."""
        return Agreement(
            self.samples + other.samples,
            self.values + other.values,
            self.mismatches + other.mismatches,
            max(self.max_difference, other.max_difference),
        )


NOTHING_COMPARED = Agreement(0, 0, 0, 0.0)


def agreement(outputs: Sequence[Array], reference: Sequence[Array]) -> Agreement:
    """Compares all outputs of one sample with the reference's, value by value."""
    total = Agreement(1, 0, 0, 0.0)
    for got, want in zip(outputs, reference, strict=True):
        wrong = int(np.count_nonzero(differs(got, want)))
        gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
        finite = gap[np.isfinite(gap)]
        total = total.plus(Agreement(0, want.size, wrong, float(finite.max()) if finite.size else 0.0))
    return total


def differs(got: Array, want: Array) -> Array:
    """Where `got` is not what `want` asks for; NaN agrees with NaN alone, infinity with the same infinity."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return np.ones(want.shape, bool)
    if want.dtype.kind != "f":
        return np.asarray(got != want)
    finite = want[np.isfinite(want)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    bound = FLOAT_TOLERANCE * (largest + np.abs(want.astype(np.float64)))
    with np.errstate(invalid="ignore"):
        near = np.abs(got.astype(np.float64) - want.astype(np.float64)) <= bound
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.asarray(~(np.where(np.isfinite(want), near, False) | same))
