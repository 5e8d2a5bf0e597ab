"""PRELU: x where it is not negative, x times a slope of its own where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.binary import Binary, binary_reader
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Prelu(Binary):
    """inputs: x, and the slopes, which broadcast."""

    family: ClassVar[str] = "binary"
    has_trained_constants: ClassVar[bool] = True

    def real(self, x: Array, y: Array) -> Array:
        """x, or x times its slope."""
        return np.where(x >= 0, x, x * y)

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> PreluParameters:
        """The factors are computed in float32. Raises ValueError when one is beyond 2^30.

        Source: PreluPrepare in tensorflow/lite/kernels/activations.cc.
        """
        x, slope, y = inputs[0].q, inputs[1].q, outputs[0].q
        identity = np.float32(x.scale) / np.float32(y.scale)
        sloped = np.float32(x.scale) * np.float32(slope.scale) / np.float32(y.scale)
        factors = (*quantize_multiplier(float(identity)), *quantize_multiplier(float(sloped)))
        return PreluParameters(x.zero_point, slope.zero_point, y.zero_point, *factors)

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """One factor for each side of the zero point."""
        p = self.parameters(inputs, outputs)
        value, slope = x.astype(np.int64) - p.zero_point1, y.astype(np.int64) - p.zero_point2
        above = multiply_by_quantized_multiplier(value, p.multiplier1, p.shift1)
        below = multiply_by_quantized_multiplier(value * slope, p.multiplier2, p.shift2)
        return np.where(value >= 0, above, below) + p.zero_point


@dataclass(frozen=True)
class PreluParameters:
    """out = saturate(zero_point + rescale1(x - zero_point1)), or below rescale2((x - zero_point1) * (slope - ...2))."""

    zero_point1: int
    zero_point2: int
    zero_point: int
    multiplier1: int
    shift1: int
    multiplier2: int
    shift2: int


TFLITE = {"PRELU": binary_reader(Prelu)}
from_uint8 = as_int8
