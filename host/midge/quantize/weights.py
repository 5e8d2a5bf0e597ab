"""Weights and biases as integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midge.ir.graph import Array, DType, Quant, Tensor

# Symmetric weights leave out -128, so that no product of two operands is the one that does not fit.
WEIGHT_LIMIT = 127
# A quantized bias stays below this, which leaves as much room in int32 for the sum of products.
BIAS_LIMIT = 1 << 30


@dataclass(frozen=True, eq=False)
class Weighted:
    """int8 weights and, where there is one, the int32 bias."""

    weights: Tensor
    bias: Tensor | None


def quantize_weights(weights: Tensor, bias: Tensor | None, axis: int, x_scale: float) -> Weighted:
    """Symmetric int8 per channel along `axis`, and the bias at scale x_scale * weight_scale.

    A channel whose bias would not fit gets a wider weight scale: its weights are then so small beside the bias that
    they matter little. A channel of zeros has the largest scale of the others (any would do).
    """
    data = np.asarray(weights.data, np.float64)
    largest = np.abs(np.moveaxis(data, axis, 0).reshape(data.shape[axis], -1)).max(axis=1)
    scales = largest / WEIGHT_LIMIT
    if bias is not None:
        scales = np.maximum(scales, np.abs(np.asarray(bias.data, np.float64)) / (x_scale * BIAS_LIMIT))
    scales = _representable(scales)
    shape = [-1 if i == axis else 1 for i in range(data.ndim)]
    q = np.clip(np.rint(data / scales.reshape(shape)), -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)
    quantized = _constant(weights, DType.S8, _per_channel(scales, axis), q)
    return Weighted(quantized, None if bias is None else _bias(bias, x_scale, scales))


def _bias(bias: Tensor, x_scale: float, scales: NDArray[np.float64]) -> Tensor:
    q = np.rint(np.asarray(bias.data, np.float64) / (x_scale * scales)).astype(np.int32)
    return _constant(bias, DType.S32, _per_channel(_representable(x_scale * scales), 0), q)


def _representable(scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounded to float32, none of them 0."""
    rounded = scales.astype(np.float32)
    usable = rounded >= np.finfo(np.float32).tiny
    spare = rounded.max() if usable.any() else np.float32(1)
    return np.where(usable, rounded, spare).astype(np.float64)


def _per_channel(scales: NDArray[np.float64], axis: int) -> Quant:
    return Quant(tuple(float(s) for s in scales), (0,) * len(scales), axis)


def _constant(source: Tensor, dtype: DType, quant: Quant, data: Array) -> Tensor:
    return Tensor(source.name, source.shape, dtype, quant, data)
