"""Sums of two values, the second with a sign: addition and subtraction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from midge.ir.channels import Range
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.sums import SumParameters, quantized_sum, sum_parameters
from midge.ops.families.binary import Clamped, clamped_reader, refuse_powers_of_two
from midge.ops.formats import SourceOp


@dataclass(frozen=True, kw_only=True)
class SignedSum(Clamped):
    """inputs: x and y, at most one of them constant."""

    quantized: ClassVar[Collection[DType]] = QUANTIZED
    has_whole: ClassVar[bool] = True
    has_trained_constants: ClassVar[bool] = True
    sign: ClassVar[Literal[1, -1]]

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """It does."""
        return True

    def real(self, x: Array, y: Array) -> Array:
        """x + sign * y."""
        return x + y if self.sign > 0 else x - y

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> SumParameters:
        """Raises ValueError when the output's scale is too fine for the inputs'."""
        return sum_parameters(inputs[0], inputs[1], outputs[0], self.clamp, sign=self.sign)

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """Both operands at a common scale with 20 more bits (15 in int16), then requantized."""
        return quantized_sum(self.parameters(inputs, outputs), x, y)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """It grows with the first, and with the second as that counts."""
        if outputs[0].dtype not in QUANTIZED:
            return super().intervals(inputs, outputs, ranges)
        (x_low, x_high), y = ranges
        y_low, y_high = y[:: self.sign]
        p = self.parameters(inputs, outputs)
        return ((quantized_sum(p, x_low, y_low), quantized_sum(p, x_high, y_high)),)


def sum_reader(kind: type[SignedSum]) -> Callable[[SourceOp], Clamped]:
    """Reads TensorFlow Lite's operator, but not its form with powers of two as scales."""

    def read(op: SourceOp) -> Clamped:
        refuse_powers_of_two(op)
        return clamped_reader(kind)(op)

    return read
