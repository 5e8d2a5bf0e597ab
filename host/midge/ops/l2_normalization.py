"""L2_NORMALIZATION: the last dimension divided by the root of the sum of its squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier
from midge.numerics.inverse_sqrt import inverse_sqrt
from midge.ops.families.rows import Rows
from midge.ops.formats import SourceOp, UnsupportedOp, tflite_clamp
from midge.ops.types import check_fixed_output, check_same_type

OUTPUT_QUANT = Quant.per_tensor(1 / 128, 0)
# Below this float norm, the norm counts as this.
EPSILON = 1e-6
# Squares that an int32 holds the sum of.
_MAX_DEPTH = (1 << 31) // (255 * 255)


@dataclass(frozen=True, kw_only=True)
class L2Normalization(Rows):
    """inputs: x, of at least one dimension."""

    fixed_quant: ClassVar[Quant] = OUTPUT_QUANT

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with the output's fixed scale."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        if inputs[0].shape[-1] > _MAX_DEPTH:
            return f"sums of {inputs[0].shape[-1]} squares, which need more than 32 bits"
        return check_fixed_output(outputs[0], OUTPUT_QUANT)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: times the inverse root in fixed point.

        Source: tensorflow/lite/kernels/internal/reference/integer_ops/l2normalization.h.
        """
        (x,) = values
        if outputs[0].dtype is DType.F32:
            wide = x.astype(np.float64)
            norm = np.sqrt((wide * wide).sum(axis=-1, keepdims=True))
            return [(wide / np.maximum(norm, EPSILON)).astype(np.float32)]
        offset = x.astype(np.int64) - inputs[0].q.zero_point
        multiplier, shift = inverse_sqrt((offset * offset).sum(axis=-1, keepdims=True))
        return [np.clip(multiply_by_quantized_multiplier(offset, multiplier, shift + 7), -128, 127).astype(np.int8)]


def from_tflite(op: SourceOp) -> L2Normalization:
    """Reads a TFLite L2_NORMALIZATION."""
    if tflite_clamp(op) != (-np.inf, np.inf):
        raise UnsupportedOp("a fused activation", "export with the activation as an operator of its own")
    return L2Normalization(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"L2_NORMALIZATION": from_tflite}
