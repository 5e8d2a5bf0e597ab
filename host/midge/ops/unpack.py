"""UNPACK: the slices of a tensor along an axis, which goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp, axis_of
from midge.ops.tflite_writing import written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Unpack(Move):
    """inputs: x; one output for each index along `axis` (not negative)."""

    axis: int

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The slices."""
        return tuple(np.moveaxis(x, self.axis, 0))


def from_tflite(op: SourceOp) -> Unpack:
    """Reads a TFLite UNPACK."""
    x = op.tensor(0)
    return Unpack(name=op.name, inputs=(x.name,), outputs=op.output_names, axis=axis_of(x, op.attribute("Axis")))


TFLITE = {"UNPACK": from_tflite}
from_uint8 = as_int8


def to_tflite(op: Unpack, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite UNPACK."""
    return written(op, "UNPACK", inputs, outputs, Axis=op.axis, Num=len(outputs))
