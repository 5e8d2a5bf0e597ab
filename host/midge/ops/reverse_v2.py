"""REVERSE_V2: some dimensions backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp, axis_of
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class ReverseV2(Move):
    """inputs: x. `axes`: the dimensions that are reversed, none negative."""

    axes: tuple[int, ...]

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """Backwards."""
        return (np.flip(x, self.axes),)


def from_tflite(op: SourceOp) -> ReverseV2:
    """Reads a TFLite REVERSE_V2; the axes must be constant."""
    x = op.tensor(0)
    axes = tuple(axis_of(x, axis) for axis in op.constant(1).reshape(-1))
    return ReverseV2(name=op.name, inputs=(x.name,), outputs=op.output_names, axes=axes)


TFLITE = {"REVERSE_V2": from_tflite}
from_uint8 = as_int8


def to_tflite(op: ReverseV2, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite REVERSE_V2."""
    return written(op, "REVERSE_V2", [*inputs, integers(op, "axes", op.axes)], outputs)
