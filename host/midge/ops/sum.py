"""SUM: the sum over some axes.

TFLite adds int8 values up in int8 where input and output have one scale, and in float32 where they do not; midge's int8
form is that of MEAN without the division: the sum of offset values in int32, rescaled once and saturated, which errs by
half a step of the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.reduction import Reduction, reduction_reader, reduction_writer
from midge.ops.types import check_same_type, reason_why_not

# Values that an int32 holds the sum of, each up to 255 from the zero point.
_MAX_COUNT = (1 << 31) // 256


@dataclass(frozen=True, kw_only=True)
class Sum(Reduction):
    """inputs: x. See Reduction for the axes."""

    family: ClassVar[str] = "reduce"

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: self.factor(inputs, outputs))

    def factor(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[int, int]:
        """(multiplier, shift) of the sum. Raises ValueError when sums could leave int32 or scales are too far apart."""
        if (count := self.count(inputs[0])) > _MAX_COUNT:
            raise ValueError(f"the sum of {count} values needs more than 32 bits")
        return quantize_multiplier(inputs[0].q.scale / outputs[0].q.scale)

    def sum_step(self, steps: Sequence[Any]) -> Any:
        """The input's."""
        return steps[0]

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: in float64. Integers: the sum of offset values, rescaled once."""
        is_float = outputs[0].dtype is DType.F32
        sums = values[0].sum(axis=self.axes, keepdims=self.keep_dims, dtype=np.float64 if is_float else np.int64)
        if is_float:
            return [np.asarray(sums, np.float32)]
        offset = self.count(inputs[0]) * inputs[0].q.zero_point
        scaled = multiply_by_quantized_multiplier(sums - offset, *self.factor(inputs, outputs))
        return [np.asarray(np.clip(scaled + outputs[0].q.zero_point, -128, 127), np.int8)]


TFLITE = {"SUM": reduction_reader(Sum)}
to_tflite = reduction_writer("SUM")
