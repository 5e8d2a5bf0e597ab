"""DEQUANTIZE: int8 to float, (x - zero_point) * scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array, DType, Op, Permutation, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.types import check_per_tensor, type_reason


@dataclass(frozen=True, kw_only=True)
class Dequantize(Op):
    """inputs: x, int8."""

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Int8 to float."""
        x, y = inputs[0], outputs[0]
        if x.dtype is not DType.S8 or y.dtype is not DType.F32:
            return type_reason((x, y))
        return check_per_tensor((x,))

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """Each value by itself."""
        return self, permutation

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The product in double, rounded to float32 once (it equals the float32 product)."""
        quant = inputs[0].q
        return [((values[0].astype(np.float64) - quant.zero_point) * quant.scale).astype(np.float32)]


def from_tflite(op: SourceOp) -> Dequantize:
    """Reads a TFLite DEQUANTIZE."""
    return Dequantize(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"DEQUANTIZE": from_tflite}
