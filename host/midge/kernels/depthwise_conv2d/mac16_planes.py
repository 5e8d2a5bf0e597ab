"""DEPTHWISE_CONV_2D int8 of 3x3 windows for Xtensa's MAC16 (firmware/nn/midge_mac16_planes.h).

The output is done in bands. For one channel at a time the band's input, padded with the zero point, goes into a plane
of words with two neighboring rows each. Rows of the input are read again for the next channel, so the output may run a
band behind the input.
"""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import bias_values, has_constant_weights, is_int8, requantization_of
from midge.kernels.mac16_dense import NEEDS, OFFSET, Scaling, scaling_of
from midge.kernels.planes import taps_by_channel
from midge.kernels.variant import Binding, Constant, Layer, Variant

_MOST_BYTES = 2048
_MOST_ROWS_BYTES = 8192
_RECORD = 7
# Which tap (row-major) each half of five words is: rows 0 and 1 together, then row 2.
_TAPS = (0, 3, 1, 4, 2, 5, 6, 7, 8)


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one image, 3x3 windows at strides of 1 or 2, an exact rule for the sums."""
    if not (is_int8(layer) and has_constant_weights(layer)) or layer.inputs[0].shape[0] != 1:
        return False
    w = _window(layer)
    if (w.k_h, w.k_w, w.dilation_h, w.dilation_w) != (3, 3, 1, 1) or max(w.stride_h, w.stride_w) > 2:
        return False
    return _plane_bytes(w, 2) <= _MOST_ROWS_BYTES and _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """For each channel what scales its sums, and its weights."""
    scaled = _scaling(layer)
    assert scaled is not None, "no rule is exact"
    w, rows = _window(layer), taps_by_channel(layer)
    params: dict[str, object] = {
        **w.params,
        "columns": _columns(w),
        "band": _band(w),
        "multiplicity": w.out_c // w.in_c,
        "split": scaled.split,
        "is_signed": int(scaled.is_signed),
        "padding": (layer.inputs[0].q.zero_point + OFFSET) * 65537,
    }
    scales = np.pad(scaled.words, ((0, 0), (0, _RECORD - scaled.words.shape[1])))
    words = np.concatenate([scales, _packed(rows)], axis=1).reshape(-1)
    return Binding(params, (Constant("channels", "uint32_t", words),))


def scratch_bytes(layer: Layer) -> int:
    """A plane."""
    w = _window(layer)
    return _plane_bytes(w, _band(w))


def overlap(layer: Layer) -> int:
    """A band's output must not reach the first row that the band reads."""
    w = _window(layer)
    band, distances = _band(w), []
    for first in range(0, w.out_h, band):
        unread = max(0, first * w.stride_h - w.top)
        distances.append(min(first + band, w.out_h) * w.out_w * w.out_c - unread * w.in_w * w.in_c)
    return max(distances)


def _packed(rows: Array) -> Array:
    """(channels, 5) words of two weights each, the last with one."""
    halves = np.pad(rows[:, _TAPS], ((0, 0), (0, 1))).astype("<i2")
    words: Array = np.ascontiguousarray(halves).view("<u4").astype(np.uint32)
    return words


def _columns(w: Window) -> int:
    return (w.out_w - 1) * w.stride_w + w.k_w


def _plane_bytes(w: Window, band: int) -> int:
    return 4 * _columns(w) * (((band - 1) * w.stride_h + w.k_h + 1) // 2)


def _band(w: Window) -> int:
    """Rows of outputs: as many as a plane of a few kilobytes allows, in whole pairs."""
    most = [band for band in range(2, w.out_h, 2) if _plane_bytes(w, band) <= _MOST_BYTES]
    return w.out_h if _plane_bytes(w, w.out_h) <= _MOST_BYTES else max(most, default=min(2, w.out_h))


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return window_of(layer, (weights[1], weights[2]))


def _scaling(layer: Layer) -> Scaling | None:
    rows = taps_by_channel(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, requantization_of(layer))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap)
