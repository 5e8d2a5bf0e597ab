"""CAST: values of another type, without scales; floats are truncated, and saturated where the type ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import written
from midge.ops.types import type_reason

_TYPES = {DType.F32, DType.S32, DType.S64, DType.S8, DType.U8, DType.BOOL}
# ONNX's types by number, doubles and half floats as float32, int64 as the int32 that holds counts and indices.
_ONNX_TYPES = {
    1: DType.F32,
    2: DType.U8,
    3: DType.S8,
    6: DType.S32,
    7: DType.S32,
    9: DType.BOOL,
    10: DType.F32,
    11: DType.F32,
}


@dataclass(frozen=True, kw_only=True)
class Cast(Op):
    """inputs: x."""

    family: ClassVar[str] = "cast"

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float32, int32, raw int8 or uint8, or bool, each to each, and from int64."""
        tensors = (*inputs, *outputs)
        if outputs[0].dtype is DType.S64:
            return "whole numbers of 64 bits as a result: export with int32"
        return "" if {t.dtype for t in tensors} <= _TYPES else type_reason(tensors)

    def stays_float(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        """Where floats become whole numbers, or these floats: a scale says nothing of them."""
        return DType.F32 in (inputs[0].dtype, outputs[0].dtype)

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


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Cast; none of the type that x has already."""
    x, number = node.tensor(0), int(node.attribute("to"))
    if number not in _ONNX_TYPES or x.quant is not None:
        raise UnsupportedOp(f"a Cast of {x.dtype.value} to type {number}", "cast to float32, int32, int8 or bool")
    dtype = _ONNX_TYPES[number]
    return [x if dtype is x.dtype else node.add(Cast, [x], "", integers=True, dtype=dtype)]


ONNX = {"Cast": from_onnx}
