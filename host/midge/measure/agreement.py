"""Whether outputs equal a reference: exactly for integers, within a tolerance for floats.

Float models have one tolerance, those of dynamic range another: TensorFlow Lite finds their scales in double, so that
an activation next to a half may become the next integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.ops.dequantize import Dequantize
from midge.ops.types import is_dynamic

# A float value agrees where |difference| <= FLOAT_TOLERANCE * (max |reference output| + |reference|).
FLOAT_TOLERANCE = 1e-4
# A float value of a model of dynamic range agrees where |difference| <= DYNAMIC_TOLERANCE * max |reference output|.
DYNAMIC_TOLERANCE = 0.01


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


def has_dynamic_layers(graph: Graph) -> bool:
    """Whether a layer has float activations and int8 weights, be they dequantized first where it has no integers."""
    for op in graph.ops:
        inputs = [graph.tensors[name] for name in op.inputs]
        if op.weight_axis and len(inputs) > 1 and is_dynamic(inputs):
            return True
        if isinstance(op, Dequantize) and inputs[0].is_constant and inputs[0].dtype is DType.S8:
            return True
    return False


def agreement(outputs: Sequence[Array], reference: Sequence[Array], *, dynamic: bool = False) -> Agreement:
    """Compares all outputs of one sample with the reference's, value by value; `dynamic` as `differs` says."""
    total = Agreement(1, 0, 0, 0.0)
    for got, want in zip(outputs, reference, strict=True):
        wrong = int(np.count_nonzero(differs(got, want, dynamic=dynamic)))
        gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
        finite = gap[np.isfinite(gap)]
        total = total.plus(Agreement(0, want.size, wrong, float(finite.max()) if finite.size else 0.0))
    return total


def differs(got: Array, want: Array, *, dynamic: bool = False) -> Array:
    """Where `got` is not what `want` asks for; NaN agrees with NaN alone, infinity with the same infinity.

    `dynamic`: within the tolerance of a model of dynamic range.
    """
    if got.shape != want.shape or got.dtype != want.dtype:
        return np.ones(want.shape, bool)
    if want.dtype.kind != "f":
        return np.asarray(got != want)
    finite = want[np.isfinite(want)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    if dynamic:
        bound = np.full(want.shape, DYNAMIC_TOLERANCE * largest)
    else:
        bound = FLOAT_TOLERANCE * (largest + np.abs(want.astype(np.float64)))
    with np.errstate(invalid="ignore"):
        near = np.abs(got.astype(np.float64) - want.astype(np.float64)) <= bound
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.asarray(~(np.where(np.isfinite(want), near, False) | same))
