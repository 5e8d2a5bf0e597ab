"""CAST: values of another type, without scales; floats are truncated, and saturated where the type ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import written
from midge.ops.types import type_reason

_TYPES = {DType.F32, DType.S32, DType.S8, DType.U8, DType.BOOL}


@dataclass(frozen=True, kw_only=True)
class Cast(Op):
    """inputs: x."""

    family: ClassVar[str] = "cast"

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float32, int32, raw int8 or uint8, or bool, each to each."""
        tensors = (*inputs, *outputs)
        return "" if {t.dtype for t in tensors} <= _TYPES else type_reason(tensors)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Not a number becomes 0; to bool, whatever is not 0 is true."""
        (x,), y = values, outputs[0].dtype
        if y in (DType.F32, DType.BOOL):
            return [x.astype(y.numpy)]
        low, high = y.limits
        if inputs[0].dtype is DType.F32:
            return [np.clip(np.trunc(np.nan_to_num(x.astype(np.float64))), low, high).astype(y.numpy)]
        # Integers keep their low bits, as in C.
        return [x.astype(y.numpy)]


def from_tflite(op: SourceOp) -> Cast:
    """Reads a TFLite CAST."""
    return Cast(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"CAST": from_tflite}


def to_tflite(op: Cast, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite CAST."""
    return written(op, "CAST", inputs, outputs)
