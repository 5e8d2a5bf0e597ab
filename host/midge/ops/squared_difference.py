"""SQUARED_DIFFERENCE: (x - y)^2, shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.numerics.sums import SumParameters, at_common_scale, common_scale_parameters
from midge.ops.families.binary import Binary, binary_reader

_LEFT_SHIFT = 7


@dataclass(frozen=True, kw_only=True)
class SquaredDifference(Binary):
    """inputs: x and y, at most one of them constant."""

    family: ClassVar[str] = "binary"

    def real(self, x: Array, y: Array) -> Array:
        """(x - y)^2."""
        return (x - y) ** 2

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> SumParameters:
        """Both operands at a common scale with 7 more bits, whose square is requantized.

        Raises ValueError when the output's scale is too fine. Source: Prepare in
        tensorflow/lite/kernels/squared_difference.cc.
        """
        common = 2.0 * max(inputs[0].q.scale, inputs[1].q.scale)
        factor = common * common / ((1 << (2 * _LEFT_SHIFT)) * outputs[0].q.scale)
        if factor >= 1.0:
            raise ValueError(f"the output's scale {outputs[0].q.scale:.3g} is too fine for inputs of {common / 2:.3g}")
        x, y = inputs
        return common_scale_parameters(x, y, outputs[0], NO_CLAMP, -1, _LEFT_SHIFT, quantize_multiplier(factor))

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """The difference at the common scale, squared, requantized."""
        p = self.parameters(inputs, outputs)
        first, second = at_common_scale(p, x, y)
        return multiply_by_quantized_multiplier((first - second) ** 2, p.multiplier, p.shift) + p.zero_point


TFLITE = {"SQUARED_DIFFERENCE": binary_reader(SquaredDifference)}
