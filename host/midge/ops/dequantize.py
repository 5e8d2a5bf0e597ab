"""DEQUANTIZE: int8 or int16 to float, (x - zero_point) * scale; weights also per channel; float16 as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.channels import Ties
from midge.ir.graph import Op, Permutation, tie_elementwise
from midge.ir.tensor import QUANTIZED, Array, DType, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.types import check_per_tensor, type_reason
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Dequantize(Op):
    """inputs: x, int8 or int16; constants may be quantized per channel, or float32 that was read from float16."""

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Int8 or int16 to float."""
        x, y = inputs[0], outputs[0]
        if x.is_constant and y.dtype is DType.F32 and (x.dtype is DType.F32 or (x.dtype is DType.S8 and x.quant)):
            return ""
        if x.dtype not in QUANTIZED or y.dtype is not DType.F32:
            return type_reason((x, y))
        return check_per_tensor((x,))

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """Each value by itself."""
        return self, permutation

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel, unless scales are by channel."""
        by_channel = inputs[0].quant is not None and inputs[0].quant.axis is not None
        return super().ties(inputs, outputs) if by_channel else tie_elementwise(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The product in double, rounded to float32 once (it equals the float32 product)."""
        if inputs[0].dtype is DType.F32:
            return [values[0]]
        quant = inputs[0].q
        along = [1] * values[0].ndim
        if quant.axis is not None:
            along[quant.axis] = len(quant.scales)
        zero_points, scales = (np.reshape(v, along if len(v) > 1 else ()) for v in (quant.zero_points, quant.scales))
        return [np.asarray((values[0].astype(np.float64) - zero_points) * scales, np.float32)]


def from_tflite(op: SourceOp) -> Dequantize:
    """Reads a TFLite DEQUANTIZE."""
    return Dequantize(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"DEQUANTIZE": from_tflite}
from_uint8 = as_int8
