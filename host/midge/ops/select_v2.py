"""SELECT and SELECT_V2: the first value where a condition holds, the second where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.tflite_writing import written
from midge.ops.types import check_moved
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class SelectV2(Op):
    """inputs: condition (bool), x and y; all three broadcast as in numpy."""

    is_elementwise: ClassVar[bool] = True
    inputs_share_quant: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The broadcast shape."""
        return (tuple(np.broadcast_shapes(*(t.shape for t in inputs))),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Values of one type, int8 with equal scales."""
        if inputs[0].dtype is not DType.BOOL:
            return f"a condition of type {inputs[0].dtype.value}"
        return check_moved(inputs[1:], outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy of either."""
        condition, x, y = values
        return [np.where(condition, x, y)]


def from_tflite(op: SourceOp) -> SelectV2:
    """Reads a TFLite SELECT_V2."""
    return SelectV2(name=op.name, inputs=op.input_names(3, 3), outputs=op.output_names)


def from_tflite_select(op: SourceOp) -> SelectV2:
    """Reads a TFLite SELECT, whose shapes are equal; a condition by rows would broadcast otherwise than in numpy."""
    if op.tensor(0).shape not in (op.tensor(1).shape, ()):
        raise UnsupportedOp("a condition for whole rows", "export with SELECT_V2 (tf.where), which broadcasts")
    return from_tflite(op)


TFLITE = {"SELECT": from_tflite_select, "SELECT_V2": from_tflite}
from_uint8 = as_int8


def to_tflite(op: SelectV2, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite SELECT_V2."""
    return written(op, "SELECT_V2", inputs, outputs)
