"""BATCH_MATMUL: matrix products of the last two dimensions, either side transposed; the others broadcast.

Float32, or int8 or int16 with one scale each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import NO_CLAMP, Op
from midge.ir.tensor import QUANTIZED, Array, DType, Shape, Tensor
from midge.numerics.requantize import Requantization, requantization_per_tensor, with_wide_sums
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import written
from midge.ops.types import check_same_type, reason_why_not

# Products that an int32 holds the sum of, each up to 255 * 255.
_MAX_DEPTH = (1 << 31) // (255 * 255)


@dataclass(frozen=True, kw_only=True)
class BatchMatmul(Op):
    """inputs: x (..., M, K), or (..., K, M) when `transpose_x`; y (..., K, N), or (..., N, K) when `transpose_y`."""

    transpose_x: bool
    transpose_y: bool

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(..., M, N)."""
        x, y = (_turned(t.shape, turn) for t, turn in zip(inputs, (self.transpose_x, self.transpose_y), strict=True))
        if len(x) < 2 or len(y) < 2 or x[-1] != y[-2]:
            raise ValueError(f"matrices {x} and {y} do not multiply")
        return ((*np.broadcast_shapes(x[:-2], y[:-2]), x[-2], y[-1]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 or int16."""
        reason = check_same_type(inputs, outputs, QUANTIZED)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        if outputs[0].dtype is DType.S8 and self.depth(inputs) > _MAX_DEPTH:
            return f"sums of {self.depth(inputs)} products, which need more than 32 bits"
        return reason_why_not(lambda: batch_matmul_factor(inputs, outputs))

    def depth(self, inputs: Sequence[Tensor]) -> int:
        """How many products make one value: K."""
        return inputs[0].shape[-2 if self.transpose_x else -1]

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Output elements times K."""
        return outputs[0].elements * self.depth(inputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Sums in float64 for floats, of offset values for integers; those of int16 have 64 bits."""
        is_float = outputs[0].dtype is DType.F32
        offsets = (0, 0) if is_float else tuple(t.q.zero_point for t in inputs)
        x, y = (v.astype(np.float64 if is_float else np.int64) - z for v, z in zip(values, offsets, strict=True))
        x = np.swapaxes(x, -1, -2) if self.transpose_x else x
        y = np.swapaxes(y, -1, -2) if self.transpose_y else y
        if is_float:
            return [(x @ y).astype(np.float32)]
        return [batch_matmul_factor(inputs, outputs).apply(x @ y).astype(outputs[0].dtype.numpy)]


def _turned(shape: Shape, turn: bool) -> Shape:
    return (*shape[:-2], *shape[:-3:-1]) if turn else shape


def batch_matmul_factor(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Requantization:
    """How integer sums are requantized. Raises ValueError when the factor is beyond 2^30.

    Source: Prepare in tensorflow/lite/kernels/batch_matmul.cc, which does as matrix products with weights do.
    """
    x, y = inputs
    return with_wide_sums(requantization_per_tensor(x, replace(y, data=None), outputs[0], NO_CLAMP), inputs)


def from_tflite(op: SourceOp) -> BatchMatmul:
    """Reads a TFLite BATCH_MATMUL."""
    return BatchMatmul(
        name=op.name,
        inputs=op.input_names(2, 2),
        outputs=op.output_names,
        transpose_x=bool(op.attributes.get("AdjX", False)),
        transpose_y=bool(op.attributes.get("AdjY", False)),
    )


TFLITE = {"BATCH_MATMUL": from_tflite}


def to_tflite(op: BatchMatmul, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite BATCH_MATMUL."""
    return written(op, "BATCH_MATMUL", inputs, outputs, AdjX=op.transpose_x, AdjY=op.transpose_y)
