"""GATHER: the slices of a tensor at constant indices along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import Op, Permutation
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp, UnsupportedOp, axis_of
from midge.ops.take import Take, take_from_tflite
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Gather(Move):
    """inputs: x. `indices`, in C order of their `shape`, choose slices along `axis`, which the shape replaces."""

    axis: int
    indices: tuple[int, ...]
    shape: Shape

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape with that of the indices in place of the axis."""
        x = inputs[0].shape
        if not 0 <= self.axis < len(x) or any(not 0 <= i < x[self.axis] for i in self.indices):
            raise ValueError(f"indices {self.indices} along axis {self.axis} of an input {x}")
        return ((*x[: self.axis], *self.shape, *x[self.axis + 1 :]),)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation] | None:
        """Along the renamed axis, where indices are a list."""
        return (replace(self, axis=permutation[self.axis]), permutation) if len(self.shape) == 1 else None

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The slices."""
        return (np.take(x, np.reshape(self.indices, self.shape).astype(np.intp), axis=self.axis),)


def from_tflite(op: SourceOp) -> Gather | Take:
    """Reads a TFLite GATHER; its indices may be computed."""
    x = op.tensor(0)
    if op.attributes.get("BatchDims", 0):
        raise UnsupportedOp("batch dimensions", "gather each batch by an operator of its own")
    if not op.tensor(1).is_constant:
        return take_from_tflite(op, axis_of(x, op.attributes.get("Axis", 0)))
    indices = op.constant(1)
    return Gather(
        name=op.name,
        inputs=(x.name,),
        outputs=op.output_names,
        axis=axis_of(x, op.attributes.get("Axis", 0)),
        indices=tuple(int(i) for i in indices.reshape(-1)),
        shape=indices.shape,
    )


TFLITE = {"GATHER": from_tflite}
from_uint8 = as_int8


def to_tflite(op: Gather, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite GATHER."""
    indices = integers(op, "indices", np.reshape(op.indices, op.shape))
    return written(op, "GATHER", [*inputs, indices], outputs, Axis=op.axis, BatchDims=0)
