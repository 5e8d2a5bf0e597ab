"""Weights and biases as integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.quantize.widths import LIMITS, nearest
from midge.settings import Width

# The least squared error is looked for among scales this much finer than those that hold every weight.
_SHRINKS = np.linspace(1.0, 0.1, 91)
# So many numbers from 1 to 2 are tried as what all scales of a layer are powers of two apart from.
_BASES = 32
# A quantized bias stays below this, which leaves as much room in int32 for the sum of products.
BIAS_LIMIT = 1 << 30
# The same where sums have 64 bits, of which 48 are used.
WIDE_BIAS_LIMIT = 1 << 45


def bias_limit(dtype: DType) -> int:
    """The largest bias of this type."""
    return WIDE_BIAS_LIMIT if dtype is DType.S64 else BIAS_LIMIT


@dataclass(frozen=True, eq=False)
class Weighted:
    """int8 weights and, where there is one, the bias: int32, or int64."""

    weights: Tensor
    bias: Tensor | None


def quantize_weights(
    weights: Tensor,
    bias: Tensor | None,
    axis: int,
    x_scale: float,
    width: Width = "int8",
    clip: bool = False,
    wide: bool = False,
    one_multiplier: bool = False,
) -> Weighted:
    """Symmetric integers of `width` in int8, per channel along `axis`, and the bias at scale x_scale * weight_scale.

    The bias is int32, or int64 when `wide`.
    The scale of a channel holds its largest weight; with `clip`, and always below 8 bits, it is the one of least
    squared error, at which the largest weights are clipped. A channel whose bias would not fit gets a wider weight
    scale: its weights are then so small beside the bias that they matter little. A channel of zeros has the largest
    scale of the others (any would do). With `one_multiplier` all scales are one number times powers of two, the one of
    least squared error relative to the channels' own; of bits, a channel loses half a one at most.
    """
    data = np.asarray(weights.data, np.float64)
    rows = np.moveaxis(data, axis, 0).reshape(data.shape[axis], -1)
    scales = _least_squares(rows, width) if clip or width != "int8" else _holding(rows, width)
    least = np.zeros(len(rows))
    if bias is not None:
        limit = WIDE_BIAS_LIMIT if wide else BIAS_LIMIT
        least = np.abs(np.asarray(bias.data, np.float64)) / (x_scale * limit)
    scales = np.maximum(scales, least)
    scales = _representable(_powers_apart(rows, width, scales, least) if one_multiplier else scales)
    shape = [-1 if i == axis else 1 for i in range(data.ndim)]
    q = nearest(data / scales.reshape(shape), width).astype(np.int8)
    quantized = _constant(weights, DType.S8, _per_channel(scales, axis), q)
    return Weighted(quantized, None if bias is None else _bias(bias, x_scale, scales, wide))


def _holding(rows: NDArray[np.float64], width: Width) -> NDArray[np.float64]:
    """The scale of each row at which its largest value is the largest integer."""
    limits = np.abs(LIMITS[width]).max()
    return np.asarray(np.abs(rows).max(axis=1) / limits, np.float64)


def _least_squares(rows: NDArray[np.float64], width: Width) -> NDArray[np.float64]:
    """The scale of each row at which the integers are nearest to it, by squared error."""
    if width == "binary":  # in closed form: Rastegari et al., arXiv 1603.05279, section 3.1
        return np.asarray(np.abs(rows).mean(axis=1), np.float64)
    widest = _holding(rows, width) * (2 if width == "int2" else 1)
    best, least = widest, np.full(len(rows), np.inf)
    for shrink in _SHRINKS:
        error = _squared_error(rows, np.maximum(widest * shrink, np.finfo(np.float64).tiny), width)
        best, least = np.where(error < least, widest * shrink, best), np.minimum(error, least)
    return best


def _powers_apart(
    rows: NDArray[np.float64], width: Width, scales: NDArray[np.float64], least: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scales that are one number times powers of two, each near to the one of `scales` and at least `least`."""
    used = (np.abs(rows) > 0).any(axis=1)
    energy = np.maximum((rows**2).sum(axis=1), np.finfo(np.float64).tiny)
    best, smallest = scales, np.inf
    for base in np.exp2(np.arange(_BASES) / _BASES).astype(np.float32).astype(np.float64):
        lower = np.floor(np.log2(np.maximum(scales, np.finfo(np.float32).tiny) / base))
        below, above = base * np.exp2(lower), base * np.exp2(lower + 1)
        low, high = (np.where(s < least, np.inf, _squared_error(rows, s, width)) for s in (below, above))
        error = float((np.minimum(low, high) / energy)[used].sum())
        if error < smallest:
            best, smallest = np.where(low < high, below, above), error
    return np.where(used, best, best[used].max(initial=0.0))


def _squared_error(rows: NDArray[np.float64], scales: NDArray[np.float64], width: Width) -> NDArray[np.float64]:
    """Of each row at its scale."""
    whole = nearest(rows / scales[:, None], width)
    return np.asarray(((whole * scales[:, None] - rows) ** 2).sum(axis=1))


def _bias(bias: Tensor, x_scale: float, scales: NDArray[np.float64], wide: bool) -> Tensor:
    dtype = DType.S64 if wide else DType.S32
    q = np.rint(np.asarray(bias.data, np.float64) / (x_scale * scales)).astype(dtype.numpy)
    return _constant(bias, dtype, _per_channel(_representable(x_scale * scales), 0), q)


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
