"""LOG_SOFTMAX: x less the logarithm of the sum of e^x, along the last dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array, Op, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.types import check_float


@dataclass(frozen=True, kw_only=True)
class LogSoftmax(Op):
    """inputs: x, of at least one dimension."""

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape."""
        if not inputs[0].shape:
            raise ValueError("a scalar has no last dimension")
        return (inputs[0].shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float."""
        return check_float(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """In float64, of what is left when the largest is subtracted."""
        wide = values[0].astype(np.float64)
        rest = wide - wide.max(axis=-1, keepdims=True)
        return [(rest - np.log(np.exp(rest).sum(axis=-1, keepdims=True))).astype(np.float32)]


def from_tflite(op: SourceOp) -> LogSoftmax:
    """Reads a TFLite LOG_SOFTMAX."""
    return LogSoftmax(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"LOG_SOFTMAX": from_tflite}
