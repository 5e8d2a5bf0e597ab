"""SPLIT and SPLIT_V: the parts of a tensor, one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from midge.ir.graph import Op, Permutation
from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp, UnsupportedOp, axis_of
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Split(Move):
    """inputs: x; one output for each of `sizes` along `axis` (not negative)."""

    axis: int
    sizes: tuple[int, ...]

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The parts."""
        if not 0 <= self.axis < x.ndim or min(self.sizes) < 1 or sum(self.sizes) != x.shape[self.axis]:
            raise ValueError(f"parts {self.sizes} along axis {self.axis} of an input {x.shape}")
        return np.split(x, list(accumulate(self.sizes[:-1])), axis=self.axis)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """Along the renamed axis."""
        return replace(self, axis=permutation[self.axis]), permutation


def from_tflite(op: SourceOp) -> Split:
    """Reads a TFLite SPLIT: equal parts; the axis must be constant."""
    x, parts = op.tensor(1), len(op.outputs)
    axis = axis_of(x, op.constant(0))
    if parts < 1 or x.shape[axis] % parts:
        raise UnsupportedOp(f"{parts} parts of {x.shape[axis]}", "the file is damaged: export it again")
    sizes = (x.shape[axis] // parts,) * parts
    return Split(name=op.name, inputs=(x.name,), outputs=op.output_names, axis=axis, sizes=sizes)


def from_tflite_sizes(op: SourceOp) -> Split:
    """Reads a TFLite SPLIT_V; sizes and axis must be constant, one size may be -1 for the rest."""
    x = op.tensor(0)
    axis, sizes = axis_of(x, op.constant(2)), [int(n) for n in op.constant(1).reshape(-1)]
    rest = x.shape[axis] - sum(n for n in sizes if n != -1)
    sizes = [rest if n == -1 else n for n in sizes]
    return Split(name=op.name, inputs=(x.name,), outputs=op.output_names, axis=axis, sizes=tuple(sizes))


TFLITE = {"SPLIT": from_tflite, "SPLIT_V": from_tflite_sizes}
from_uint8 = as_int8


def to_tflite(op: Split, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite SPLIT_V."""
    sizes, axis = integers(op, "sizes", op.sizes), integers(op, "axis", op.axis)
    return written(op, "SPLIT_V", [*inputs, sizes, axis], outputs, NumSplits=len(op.sizes))
