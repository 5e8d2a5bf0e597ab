"""SUB: clamp(x - y), shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from midge.ir.channels import Range
from midge.ir.graph import QUANTIZED, Array, DType, Tensor
from midge.numerics.sums import SumParameters, quantized_sum, sum_parameters
from midge.ops.families.binary import Clamped, clamped_reader, clamped_writer, refuse_powers_of_two
from midge.ops.formats import SourceOp
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Sub(Clamped):
    """inputs: x and y, at most one of them constant."""

    quantized: ClassVar[Collection[DType]] = QUANTIZED

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """It does."""
        return True

    def real(self, x: Array, y: Array) -> Array:
        """x - y."""
        return x - y

    def parameters(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> SumParameters:
        """Raises ValueError when the output's scale is too fine for the inputs'."""
        return sum_parameters(inputs[0], inputs[1], outputs[0], self.clamp, sign=-1)

    def integers(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], x: Array, y: Array) -> Array:
        """Both operands at a common scale with 20 more bits (15 in int16), then requantized."""
        return quantized_sum(self.parameters(inputs, outputs), x, y)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The difference grows with the first and falls with the second."""
        if outputs[0].dtype is DType.F32:
            return super().intervals(inputs, outputs, ranges)
        (x_low, x_high), (y_low, y_high) = ranges
        p = self.parameters(inputs, outputs)
        low, high = quantized_sum(p, x_low, y_high), quantized_sum(p, x_high, y_low)
        return ((low, high),)


def from_tflite(op: SourceOp) -> Clamped:
    """Reads a TFLite SUB."""
    refuse_powers_of_two(op)
    return clamped_reader(Sub)(op)


TFLITE = {"SUB": from_tflite}
from_uint8 = as_int8
to_tflite = clamped_writer("SUB", PotScaleInt16=False)
