"""DEPTHWISE_CONV_2D int8 for cores without SIMD: each multiplication serves two pixels (firmware/nn/midge_scalar.h).

The output is done in bands. A band's upper and lower half are two pixels at each position: for one channel at a time
its input, padded with the zero point, is packed into a plane of words, over which the window walks. Rows of the input
are read again for the next channel, so the output may run a band behind the input.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.graph import Array
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.pixel_pairs import NEEDS, can_add_pairs, scaling_of
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.requantize import requantization
from midge.ops.depthwise_conv2d import DepthwiseConv2D

_PLANE_BYTES = 6144
_MOST_TAPS = 32
# For fewer the plane is more work than it saves.
_FEWEST_PIXELS = 4


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one image, windows of few taps, planes of a few kilobytes, some pixels."""
    if not (is_int8(layer) and has_constant_weights(layer)) or layer.inputs[0].shape[0] != 1:
        return False
    rows, w = _rows(layer), _window(layer)
    if rows.shape[1] > _MOST_TAPS or w.out_h * w.out_w < _FEWEST_PIXELS:
        return False
    return can_add_pairs(rows) and _plane_bytes(w, 1) <= _PLANE_BYTES


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel its bias and what scales its sums."""
    op, (x, weights), y = cast(DepthwiseConv2D, layer.op), layer.inputs[:2], layer.outputs[0]
    w, rows = _window(layer), _rows(layer)
    r = requantization(x, weights, y, op.clamp)
    scaled = scaling_of(rows, bias_values(layer, len(rows)), x.q.zero_point, r)
    half = _half(w)
    params = {
        **w.params,
        **scaled.params,
        "half": half,
        "plane_w": _plane_columns(w),
        "multiplicity": w.out_c // w.in_c,
        "in_zero": x.q.zero_point,
    }
    constants = (Constant("weights", "int8_t", rows.astype(np.int8)), Constant("scales", "int32_t", scaled.words))
    return Binding(params, constants)


def scratch_bytes(layer: Layer) -> int:
    """The plane."""
    w = _window(layer)
    return _plane_bytes(w, _half(w))


def overlap(layer: Layer) -> int:
    """A band's output must not reach the first row that the band reads."""
    w, step = _window(layer), 2 * _half(_window(layer))
    distances = []
    for first in range(0, w.out_h, step):
        unread = max(0, first * w.stride_h - w.top)
        distances.append(min(first + step, w.out_h) * w.out_w * w.out_c - unread * w.in_w * w.in_c)
    return max(distances)


def _half(w: Window) -> int:
    """Rows in half a band."""
    most = -(-w.out_h // 2)
    return max(half for half in range(1, most + 1) if half == 1 or _plane_bytes(w, half) <= _PLANE_BYTES)


def _plane_bytes(w: Window, half: int) -> int:
    return 4 * _plane_rows(w, half) * _plane_columns(w)


def _plane_rows(w: Window, half: int) -> int:
    return (half - 1) * w.stride_h + (w.k_h - 1) * w.dilation_h + 1


def _plane_columns(w: Window) -> int:
    return (w.out_w - 1) * w.stride_w + (w.k_w - 1) * w.dilation_w + 1


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return window_of(layer, (weights[1], weights[2]))


def _rows(layer: Layer) -> Array:
    """Weights (channels, taps)."""
    weights = constant_data(layer.inputs[1])
    return weights.reshape(-1, weights.shape[3]).T.astype(np.int64)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap)
