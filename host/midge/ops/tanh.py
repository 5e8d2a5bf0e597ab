"""TANH: the hyperbolic tangent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Array, DType, Op, OutputQuant, Quant, Shape, Tensor
from midge.numerics.tables import Table, look_up, unary_table
from midge.ops.formats import SourceOp
from midge.ops.intervals import unary_range
from midge.ops.onnx_nodes import unary
from midge.ops.types import check_same_type

OUTPUT_QUANT = Quant.per_tensor(1 / 128, 0)


@dataclass(frozen=True, kw_only=True)
class Tanh(Op):
    """inputs: x."""

    is_elementwise: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        return check_same_type(inputs, outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """Fixed when midge chooses: scale 1 / 128, zero point 0."""
        return OUTPUT_QUANT

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: a table of all 256 values."""
        (x,) = values
        if outputs[0].dtype is DType.F32:
            return [np.tanh(x.astype(np.float64)).astype(np.float32)]
        return [look_up(tanh_table(inputs, outputs), x)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The extremes of the table between the input's ends."""
        return (unary_range(self, inputs, outputs, ranges[0]),)


def tanh_table(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Table:
    """The int8 output for each int8 input x, at index x + 128."""
    return unary_table(np.tanh, inputs[0].q, outputs[0].q)


def from_tflite(op: SourceOp) -> Tanh:
    """Reads a TFLite TANH."""
    return Tanh(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"TANH": from_tflite}
ONNX = {"Tanh": unary(Tanh)}
