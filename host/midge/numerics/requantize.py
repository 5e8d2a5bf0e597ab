"""From int32 accumulators to quantized outputs: what convolutions and matrix products share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import Clamp
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.fixed_point import (
    Ints,
    integer_clamp,
    multiply_by_quantized_multiplier,
    multiply_wide_by_quantized_multiplier,
    quantize_multiplier,
    wrap_int32,
)

# Sums of 48 bits times a multiplier of 15 fit 64 bits.
_MAX_WIDE_SHIFT = 7


@dataclass(frozen=True, eq=False)
class Requantization:
    """multipliers and shifts per output channel (length 1: per_tensor), output offset and clamp, all int32.

    `wide`: the sums have 64 bits, and the multipliers are rounded to 15.
    """

    multipliers: Array
    shifts: Array
    zero_point: int
    low: int
    high: int
    wide: bool = False

    def apply(self, accumulators: Array) -> Ints:
        """Quantized outputs for int32 `accumulators` (64 bits when `wide`), channels last."""
        if self.wide:
            scaled = multiply_wide_by_quantized_multiplier(accumulators.astype(np.int64), self.multipliers, self.shifts)
            return np.clip(scaled + self.zero_point, self.low, self.high)
        scaled = multiply_by_quantized_multiplier(wrap_int32(accumulators), self.multipliers, self.shifts)
        return np.clip(scaled + self.zero_point, self.low, self.high)


def requantization(x: Tensor, weights: Tensor, output: Tensor, clamp: Clamp) -> Requantization:
    """How TFLite requantizes a convolution: a factor per channel, input_scale * weight_scale / output_scale in double.

    Source: PopulateConvolutionQuantizationParams in tensorflow/lite/kernels/kernel_util.cc.
    """
    x_scale, output_scale = x.q.scale, output.q.scale
    factors = [x_scale * scale / output_scale for scale in weights.q.scales]
    return _requantization(factors, output, clamp)


def requantization_per_tensor(x: Tensor, weights: Tensor, output: Tensor, clamp: Clamp) -> Requantization:
    """How TFLite requantizes a matrix product: the product of the scales is rounded to float32 first.

    Source: GetQuantizedConvolutionMultipler in tensorflow/lite/kernels/kernel_util.cc.
    """
    product = float(np.float32(x.q.scale) * np.float32(weights.q.scale))
    return _requantization([product / output.q.scale], output, clamp)


def window_requantization(inputs: Sequence[Tensor], output: Tensor, clamp: Clamp) -> Requantization:
    """How a convolution with those inputs (activations, weights, bias when there is one) requantizes its sums."""
    return with_wide_sums(requantization(inputs[0], inputs[1], output, clamp), inputs)


def with_wide_sums(found: Requantization, inputs: Sequence[Tensor]) -> Requantization:
    """`found` for the sums of a layer with those inputs: of int16 activations they have 64 bits, but with int32 bias.

    Raises ValueError for a factor of 2^7 or more, beyond what TFLite's kernels promise.
    """
    if inputs[0].dtype is not DType.S16 or any(t.dtype is DType.S32 for t in inputs[2:]):
        return found
    if found.shifts.max() > _MAX_WIDE_SHIFT:
        raise ValueError("an output scale too fine for sums of 64 bits: they are scaled by 128 at most")
    return replace(found, wide=True)


def _requantization(factors: list[float], output: Tensor, clamp: Clamp) -> Requantization:
    pairs = [quantize_multiplier(factor) for factor in factors]
    low, high = integer_clamp(clamp, output.q, output.dtype)
    return Requantization(
        np.array([m for m, _ in pairs], np.int32),
        np.array([s for _, s in pairs], np.int32),
        output.q.zero_point,
        low,
        high,
    )
