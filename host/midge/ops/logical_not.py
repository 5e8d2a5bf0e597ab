"""LOGICAL_NOT: whether it does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.types import type_reason


@dataclass(frozen=True, kw_only=True)
class LogicalNot(Op):
    """inputs: x, bool, as the output."""

    family: ClassVar[str] = "cast"

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Bool."""
        tensors = (*inputs, *outputs)
        return "" if {t.dtype for t in tensors} == {DType.BOOL} else type_reason(tensors)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The opposite."""
        return [np.logical_not(values[0])]


def from_tflite(op: SourceOp) -> LogicalNot:
    """Reads a TFLite LOGICAL_NOT."""
    return LogicalNot(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"LOGICAL_NOT": from_tflite}
