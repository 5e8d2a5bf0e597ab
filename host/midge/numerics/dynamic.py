"""Dynamic ranges: floats become int8 with a scale that is found at run time, sums of integers become floats again.

All arithmetic is float32, one rounding for each operation, so that firmware/nn/midge_nn_dynamic.h gives the same bits.
TensorFlow Lite finds the scale in double; the two differ by a unit of the last place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def quantize_rows(x: NDArray[Any], *, asymmetric: bool) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """(q, scales, zero points) of each row of `x` (rows, values): x is about (q - zero point) * scale.

    Symmetric q are -127..127 and their zero point is 0; asymmetric ones are -128..127 and can say 0.
    Source: PortableSymmetricQuantizeFloats and PortableAsymmetricQuantizeFloats in
    tensorflow/lite/kernels/internal/reference/portable_tensor_utils.cc.
    """
    wide = np.asarray(x, np.float32)
    low = np.minimum(wide.min(axis=1), np.float32(0))
    high = np.maximum(wide.max(axis=1), np.float32(0))
    flat = low == high
    if asymmetric:
        scales = np.where(flat, np.float32(1), (high - low) / np.float32(255))
        zeros = np.where(flat, np.float32(0), _zero_points(low, high, scales))
        factors, ends = np.float32(1) / scales, (-128, 127)
    else:
        reach = np.maximum(-low, high)
        scales = np.where(flat, np.float32(1), reach / np.float32(127))
        zeros = np.zeros_like(scales)
        factors, ends = np.float32(127) / np.where(flat, np.float32(127), reach), (-127, 127)
    q = _round(wide * factors[:, None] + zeros[:, None])
    return np.clip(q, *ends).astype(np.int64), scales, zeros.astype(np.int64)


def _zero_points(low: Floats, high: Floats, scales: Floats) -> Floats:
    """Where 0 is, from that end of the range which is nearer to it."""
    below, above = low / scales, high / scales
    nearer = np.float32(128) - below < np.float32(127) + above
    found = np.where(nearer, np.float32(-128) - below, np.float32(127) - above)
    return np.clip(_round(found), np.float32(-128), np.float32(127))


def _round(value: Floats) -> Floats:
    """Halves away from zero."""
    whole = np.trunc(value)
    rest = value - whole
    return np.asarray(whole + (rest >= 0.5) - (rest <= -0.5), np.float32)


def dynamic_outputs(
    rows: NDArray[Any],
    sums: Callable[[NDArray[np.int64]], NDArray[Any]],
    weight_scales: Sequence[float],
    bias: NDArray[Any] | None,
    *,
    asymmetric: bool,
    clamp: tuple[float, float],
) -> Floats:
    """A layer of float activations and int8 weights: each of `rows` (rows, values) has a range of its own.

    `sums` makes the weighted sums (rows, ..., channels) of integers, which have their zero points taken off and the
    shape of `rows`. They become real_sums, clamped.
    """
    q, scales, zeros = quantize_rows(rows, asymmetric=asymmetric)
    real = real_sums(sums(q - zeros[:, None]), np.array(weight_scales, np.float32), scales, bias)
    return np.asarray(np.clip(real, *clamp), np.float32)


def real_sums(sums: NDArray[Any], weight_scales: Floats, x_scales: Floats, bias: NDArray[Any] | None) -> Floats:
    """Integer `sums` (rows, ..., channels) as floats: sum * weight scale * input scale + bias."""
    along = x_scales.reshape(-1, *(1,) * (sums.ndim - 1))
    scaled = sums.astype(np.float32) * weight_scales * along
    return np.asarray(scaled if bias is None else scaled + bias, np.float32)
