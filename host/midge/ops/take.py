"""GATHER at run time, EMBEDDING_LOOKUP: the slices of a tensor at indices that are computed, along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Op, OutputQuant
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import written
from midge.ops.types import check_moved


@dataclass(frozen=True, kw_only=True)
class Take(Op):
    """inputs: x, and indices (int32 or int64), whose shape replaces `axis` (not negative).

    Negative indices count from the end. What lies outside is taken from the nearest end: no input reads other memory.
    """

    axis: int

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape with that of the indices in place of the axis."""
        x, indices = (t.shape for t in inputs)
        if not 0 <= self.axis < len(x):
            raise ValueError(f"axis {self.axis} of an input {x}")
        return ((*x[: self.axis], *indices, *x[self.axis + 1 :]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Indices of int32 or int64; values of any type that midge moves."""
        if inputs[1].dtype not in (DType.S32, DType.S64):
            return f"indices of type {inputs[1].dtype.value}; they must be int32 or int64"
        return check_moved(inputs[:1], outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy of the slices."""
        x, indices = values
        size = x.shape[self.axis]
        places = np.clip(np.where(indices < 0, indices.astype(np.int64) + size, indices), 0, size - 1)
        return [np.take(x, places, axis=self.axis)]


def take_from_tflite(op: SourceOp, axis: int) -> Take:
    """Reads a TFLite GATHER whose indices are computed."""
    return Take(name=op.name, inputs=op.input_names(2, 2), outputs=op.output_names, axis=axis)


def from_lookup(op: SourceOp) -> Take:
    """Reads a TFLite EMBEDDING_LOOKUP, whose indices come first."""
    indices, x = op.input_names(2, 2)
    return Take(name=op.name, inputs=(x, indices), outputs=op.output_names, axis=0)


TFLITE = {"EMBEDDING_LOOKUP": from_lookup}


def to_tflite(op: Take, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite GATHER."""
    return written(op, "GATHER", inputs, outputs, Axis=op.axis, BatchDims=0)
