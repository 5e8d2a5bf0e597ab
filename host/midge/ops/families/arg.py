"""Where along an axis the extreme value is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tflite.TensorType import TensorType

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp, axis_of
from midge.ops.tflite_writing import TFLiteWriter, integers, written
from midge.ops.types import check_same_type, type_reason


@dataclass(frozen=True, kw_only=True)
class Arg(Op):
    """inputs: x. `axis`, not negative, goes; the output is int32. The first of equal values counts."""

    axis: int

    family: ClassVar[str] = "arg"

    def extreme(self, x: Array) -> Array:
        """The index along the axis."""
        raise NotImplementedError

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape without the axis."""
        shape = inputs[0].shape
        if not 0 <= self.axis < len(shape):
            raise ValueError(f"axis {self.axis} of an input {shape}")
        return ((*shape[: self.axis], *shape[self.axis + 1 :]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8 to int32."""
        if outputs[0].dtype is not DType.S32:
            return type_reason((*inputs, *outputs))
        return check_same_type(inputs, ())

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The raw values are compared."""
        return [np.asarray(self.extreme(values[0]), np.int32)]


def arg_reader(kind: type[Arg]) -> Callable[[SourceOp], Arg]:
    """Reads an operator with a constant axis as its second input."""

    def read(op: SourceOp) -> Arg:
        x = op.tensor(0)
        return kind(name=op.name, inputs=(x.name,), outputs=op.output_names, axis=axis_of(x, op.constant(1)))

    return read


def arg_writer(code: str) -> TFLiteWriter:
    """Writes an operator with a constant axis as its second input."""
    return lambda op, inputs, outputs: written(
        op, code, [*inputs, integers(op, "axis", op.axis)], outputs, OutputType=TensorType.INT32
    )
