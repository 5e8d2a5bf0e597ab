"""MEAN: the average over some axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import tie_elementwise, whole_range
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.reduction import Reduction, reduction_reader, reduction_writer
from midge.ops.intervals import rescaled_range
from midge.ops.types import check_same_type, reason_why_not
from midge.ops.uint8 import as_int8

# Int32 holds the sum.
_MAX_SUM = 1 << 31


@dataclass(frozen=True, kw_only=True)
class Mean(Reduction):
    """inputs: x. See Reduction for the axes."""

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """Unless the average goes over channels."""
        return self.keeps_channels(inputs[0]) and (self.keep_dims or len(inputs[0].shape) - 1 not in self.axes)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 or int16."""
        reason = check_same_type(inputs, outputs, QUANTIZED)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: mean_parameters(self, inputs, outputs))

    def sum_step(self, steps: Sequence[Any]) -> Any:
        """The input's."""
        return steps[0]

    def divisor(self, inputs: Sequence[Tensor]) -> int:
        """The values that make one."""
        return self.count(inputs[0])

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: the sum in float64 over the count. Integers: the sum of offset values, rescaled once."""
        is_float = outputs[0].dtype is DType.F32
        sums = values[0].sum(axis=self.axes, keepdims=self.keep_dims, dtype=np.float64 if is_float else np.int64)
        if is_float:
            return [np.asarray(sums / self.count(inputs[0]), np.float32)]
        p = mean_parameters(self, inputs, outputs)
        scaled = multiply_by_quantized_multiplier(sums - p.count * p.input_zero_point, p.multiplier, p.shift)
        dtype = outputs[0].dtype
        return [np.asarray(np.clip(scaled + p.output_zero_point, *dtype.limits), dtype.numpy)]

    def pull_back(self, values: Sequence[Array], results: Sequence[Array], gradient: Array) -> Array | None:
        """An equal share to all that were averaged."""
        x = values[0]
        kept = [1 if axis in self.axes else n for axis, n in enumerate(x.shape)]
        count = np.prod([x.shape[axis] for axis in self.axes])
        return np.broadcast_to(gradient.reshape(kept) / count, x.shape).astype(gradient.dtype)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The sum lies between `count` times the ends; over channels, those of all channels."""
        if outputs[0].dtype is DType.F32:
            return super().intervals(inputs, outputs, ranges)
        (low, high), p = ranges[0], mean_parameters(self, inputs, outputs)
        if not self.keeps_channels(inputs[0]):
            channels = len(whole_range(outputs[0])[0])
            low, high = np.full(channels, low.min()), np.full(channels, high.max())
        sums = (low - p.input_zero_point) * p.count, (high - p.input_zero_point) * p.count
        return (rescaled_range(sums, p.multiplier, p.shift, p.output_zero_point, *outputs[0].dtype.limits),)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel, unless the average goes over channels."""
        return tie_elementwise(inputs, outputs) if self.keeps_channels(inputs[0]) else super().ties(inputs, outputs)


@dataclass(frozen=True)
class MeanParameters:
    """out = saturate(output_zero_point + rescale(sum of `count` values - count * input_zero_point)).

    `multiplier` and `shift` hold the ratio of the scales divided by `count`.
    """

    count: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int


def mean_parameters(op: Mean, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> MeanParameters:
    """The integers of a quantized MEAN. Raises ValueError when sums could leave int32 or the factor is beyond 2^30.

    The division by the count goes into the multiplier, with as many bits more as the count has.
    Source: QuantizedMeanOrSum in tensorflow/lite/kernels/internal/reference/reduce.h.
    """
    x, y = inputs[0].q, outputs[0].q
    count = op.count(inputs[0])
    if count << (8 * inputs[0].dtype.bytes) > _MAX_SUM:
        raise ValueError(f"the average of {count} values needs more than 32 bits")
    multiplier, shift = quantize_multiplier(x.scale / y.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return MeanParameters(count, x.zero_point, y.zero_point, (multiplier << bits) // count, shift - bits)


TFLITE = {"MEAN": reduction_reader(Mean)}
from_uint8 = as_int8
to_tflite = reduction_writer("MEAN")
