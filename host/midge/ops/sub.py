"""SUB: clamp(x - y), shapes broadcast as in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import NO_CLAMP, Array, Clamp, DType, Op, Shape, Tensor
from midge.numerics.sums import SumParameters, quantized_sum, sum_parameters
from midge.ops.formats import SourceOp, tflite_clamp
from midge.ops.onnx_nodes import binary
from midge.ops.types import broadcast_shape, check_same_type, reason_why_not


@dataclass(frozen=True, kw_only=True)
class Sub(Op):
    """inputs: x and y, at most one of them constant."""

    clamp: Clamp

    is_elementwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The broadcast shape."""
        return (broadcast_shape(inputs),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with an output scale that can hold the difference."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: sub_parameters(self, inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: both operands at a common scale with 20 more bits, then requantized."""
        x, y = values
        if outputs[0].dtype is DType.F32:
            return [np.clip(x - y, *self.clamp).astype(np.float32)]
        return [quantized_sum(sub_parameters(self, inputs, outputs), x, y)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The difference grows with the first and falls with the second."""
        if outputs[0].dtype is DType.F32:
            return super().intervals(inputs, outputs, ranges)
        (x_low, x_high), (y_low, y_high) = ranges
        p = sub_parameters(self, inputs, outputs)
        return ((quantized_sum(p, x_low, y_high).astype(np.int64), quantized_sum(p, x_high, y_low).astype(np.int64)),)


def sub_parameters(op: Sub, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> SumParameters:
    """The integers of an int8 SUB. Raises ValueError when the output's scale is too fine for the inputs'."""
    return sum_parameters(inputs[0], inputs[1], outputs[0], op.clamp, sign=-1)


def from_tflite(op: SourceOp) -> Sub:
    """Reads a TFLite SUB."""
    return Sub(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names, clamp=tflite_clamp(op))


TFLITE = {"SUB": from_tflite}
ONNX = {"Sub": binary(Sub, clamp=NO_CLAMP)}
