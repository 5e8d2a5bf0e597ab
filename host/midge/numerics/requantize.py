"""From int32 accumulators to quantized outputs: what convolutions and matrix products share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array, Clamp, Tensor
from midge.numerics.fixed_point import (
    Ints,
    integer_clamp,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    wrap_int32,
)


@dataclass(frozen=True, eq=False)
class Requantization:
    """multipliers and shifts per output channel (length 1: per_tensor), output offset and clamp, all int32."""

    multipliers: Array
    shifts: Array
    zero_point: int
    low: int
    high: int

    def apply(self, accumulators: Array) -> Ints:
        """Quantized outputs for int32 `accumulators`, channels last."""
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
