"""LOG_SOFTMAX: x less the logarithm of the sum of e^x, along the last dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.fixed_point import rounding_divide_by_pot
from midge.numerics.logarithm import logarithm
from midge.ops.families.rows import Rows
from midge.ops.formats import SourceOp
from midge.ops.softmax import (
    SUM_INTEGER_BITS,
    scaled_differences,
    softmax_exponentials,
    softmax_parameters,
)
from midge.ops.tflite_writing import written
from midge.ops.types import check_fixed_output, check_same_type, reason_why_not

OUTPUT_QUANT = Quant.per_tensor(1 / 16, 127)
# What is left of a Q5 when an int8 has four integer bits.
OUTPUT_SHIFT = 22


@dataclass(frozen=True, kw_only=True)
class LogSoftmax(Rows):
    """inputs: x, of at least one dimension."""

    fixed_quant: ClassVar[Quant] = OUTPUT_QUANT

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8; int8 with the output's fixed scale."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return check_fixed_output(outputs[0], OUTPUT_QUANT) or reason_why_not(lambda: softmax_parameters(1.0, inputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Float64, of what is left when the largest is subtracted; int8: gemmlowp's fixed-point exponential, and ln.

        Source: LogSoftmax in tensorflow/lite/kernels/internal/reference/log_softmax.h.
        """
        if outputs[0].dtype is DType.F32:
            wide = values[0].astype(np.float64)
            rest = wide - wide.max(axis=-1, keepdims=True)
            return [(rest - np.log(np.exp(rest).sum(axis=-1, keepdims=True))).astype(np.float32)]
        parameters = softmax_parameters(1.0, inputs)
        below = values[0].max(axis=-1, keepdims=True).astype(np.intp) - values[0]
        exps = rounding_divide_by_pot(softmax_exponentials(parameters), SUM_INTEGER_BITS)[below]
        logarithms = logarithm(exps.sum(axis=-1, keepdims=True), SUM_INTEGER_BITS)
        real = rounding_divide_by_pot(scaled_differences(parameters)[below] - logarithms, OUTPUT_SHIFT)
        # Differences that Q5 cannot hold are beyond what the output can say.
        real = np.where(-below >= parameters.diff_min, real + OUTPUT_QUANT.zero_point, -128)
        return [np.clip(real, -128, 127).astype(np.int8)]


def from_tflite(op: SourceOp) -> LogSoftmax:
    """Reads a TFLite LOG_SOFTMAX."""
    return LogSoftmax(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names)


TFLITE = {"LOG_SOFTMAX": from_tflite}


def to_tflite(op: LogSoftmax, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite LOG_SOFTMAX."""
    return written(op, "LOG_SOFTMAX", inputs, outputs)
