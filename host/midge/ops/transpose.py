"""TRANSPOSE: the dimensions in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.ops.families.move import Move
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import integers, written
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Transpose(Move):
    """inputs: x. Dimension i of the output is dimension `permutation[i]` of x."""

    permutation: tuple[int, ...]

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """Each element with its indices reordered."""
        return (np.transpose(x, self.permutation),)


def from_tflite(op: SourceOp) -> Transpose:
    """Reads a TFLite TRANSPOSE; the permutation must be constant."""
    x = op.tensor(0)
    permutation = tuple(int(p) % max(len(x.shape), 1) for p in op.constant(1).reshape(-1))
    return Transpose(name=op.name, inputs=(x.name,), outputs=op.output_names, permutation=permutation)


TFLITE = {"TRANSPOSE": from_tflite}
from_uint8 = as_int8


def to_tflite(op: Transpose, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite TRANSPOSE."""
    return written(op, "TRANSPOSE", [*inputs, integers(op, "permutation", op.permutation)], outputs)
