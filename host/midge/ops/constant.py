"""SHAPE, FILL and ZEROS_LIKE: values that are known before any inference, so that no code runs for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.formats import SourceOp


@dataclass(frozen=True, kw_only=True)
class Constant(Op):
    """inputs: none. `values`: raw, in C order of `shape`, or one for all; folded, except where it is an output."""

    shape: Shape
    values: tuple[float, ...]

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """`shape`."""
        if len(self.values) not in (1, prod(self.shape)):
            raise ValueError(f"{len(self.values)} values for a tensor {self.shape}")
        return (self.shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Any type that midge moves."""
        return ""

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The values."""
        flat = np.array(self.values).astype(outputs[0].dtype.numpy)
        return [np.broadcast_to(flat, prod(self.shape)).reshape(self.shape).copy()]


def from_tflite_shape(op: SourceOp) -> Constant:
    """Reads a TFLite SHAPE: shapes are static."""
    shape = op.tensor(0).shape
    return Constant(name=op.name, inputs=(), outputs=op.output_names, shape=(len(shape),), values=shape)


def from_tflite_fill(op: SourceOp) -> Constant:
    """Reads a TFLite FILL with a constant value; the shape is the declared one of the output."""
    value = op.constant(1).reshape(-1)[0].item()
    return Constant(name=op.name, inputs=(), outputs=op.output_names, shape=op.output().shape, values=(value,))


def from_tflite_zeros(op: SourceOp) -> Constant:
    """Reads a TFLite ZEROS_LIKE, which writes raw zeros."""
    return Constant(name=op.name, inputs=(), outputs=op.output_names, shape=op.tensor(0).shape, values=(0,))


TFLITE = {"FILL": from_tflite_fill, "SHAPE": from_tflite_shape, "ZEROS_LIKE": from_tflite_zeros}
