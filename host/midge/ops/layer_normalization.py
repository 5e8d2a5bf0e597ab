"""LAYER_NORMALIZATION: (x - mean) / sqrt(variance + epsilon) * scale + offset along the last dimension.

TFLite has no such operator. In int8, mean and variance come from exact integer sums; the rest is float32, rounded once
to the output, which errs by half a step and a few parts in a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor
from midge.numerics.fixed_point import quantize_array
from midge.numerics.inverse_root import float_inverse_root
from midge.ops.types import check_same_type

# Squares that an int32 holds the sum of, and products of a count and a sum that float32 holds exactly.
_MOST_DEPTH = 1 << 15


@dataclass(frozen=True, kw_only=True)
class LayerNormalization(Op):
    """inputs: x, scale and offset (depth, or 1), which are float32 constants in int8 too. `epsilon`: positive."""

    epsilon: float

    float_inputs: ClassVar[frozenset[int]] = frozenset((1, 2))
    has_trained_constants: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        x, *constants = (t.shape for t in inputs)
        if not x or any(shape not in (x[-1:], (1,)) for shape in constants):
            raise ValueError(f"scale and offset {constants} for an input {x}")
        return (x,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with constant scale and offset."""
        if any(t.dtype is not DType.F32 or not t.is_constant for t in inputs[1:]):
            return "a scale or offset that is no float32 constant"
        if not self.epsilon >= np.finfo(np.float32).tiny:
            return f"epsilon is {self.epsilon:g}, not a positive number"
        reason = check_same_type(inputs[:1], outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        depth = inputs[0].shape[-1]
        return f"sums of {depth} squares, which need more than 32 bits" if depth > _MOST_DEPTH else ""

    def raised(self, x: Tensor) -> float:
        """Epsilon in the units of depth^2 times the variance of the integers, as float32."""
        return float(np.float32(max(self.epsilon * (x.shape[-1] / x.q.scale) ** 2, 1e-30)))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64. Integers: see the module."""
        x, y = inputs[0], outputs[0]
        scale, offset = values[1:]
        if y.dtype is DType.F32:
            wide = values[0].astype(np.float64)
            centered = wide - wide.mean(axis=-1, keepdims=True)
            variance = (centered * centered).mean(axis=-1, keepdims=True)
            return [(centered / np.sqrt(variance + self.epsilon) * scale + offset).astype(np.float32)]
        q, depth = values[0].astype(np.int64), x.shape[-1]
        total, squares = q.sum(axis=-1, keepdims=True), (q * q).sum(axis=-1, keepdims=True)
        spread = (depth * squares - total * total).astype(np.float32)
        inverse = float_inverse_root(spread + np.float32(self.raised(x)))
        normal = (depth * q - total).astype(np.float32) * inverse
        return [quantize_array(normal * scale + offset, Quant((y.q.scale,), (y.q.zero_point,)), y.dtype)]
