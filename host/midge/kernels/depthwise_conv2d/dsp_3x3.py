"""DEPTHWISE_CONV_2D with a 3x3 window for cores with dual multiply-accumulates: walks along rows, channel by channel.

The nine weights of a channel stay in registers, each three input values are loaded once and used by three outputs. A
sum is requantized by one multiplication (midge.kernels.steep_sums), so it carries eight fraction bits and the weights
lie in the upper halves of their int16 lanes. Rows above and below the input are left out by moving the weights one row
up or down, and what the missing row would contribute, the zero point times its weights, goes into the bias; columns
beside it are the zero point in a register.

A band of rows is done for all channels before the next one, so the output may run a band behind the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.steep_sums import FRACTION, SteepSums, reachable_sums, steep_sums
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.depthwise_conv2d import DepthwiseConv2D

# How far LDRSB reaches with an immediate offset.
_REACH = 4095
# Outputs of one channel for which its weights are loaded once: some dozens of cycles among so many times 15.
_OUTPUTS_OF_BAND = 128
# Order of a channel's weights in its first two words: even bytes are one pair of rows of a column, odd bytes another.
_ORDER = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1))


@dataclass(frozen=True, eq=False)
class _Channels:
    """Packed weights and how sums are requantized."""

    filters: Array
    steep: SteepSums


def fits(layer: Layer) -> bool:
    """One output per input channel, 3x3, at most one row or column of padding used on each side."""
    if not (has_constant_weights(layer) and is_int8(layer)):
        return False
    op, (x, weights) = cast(DepthwiseConv2D, layer.op), layer.inputs[:2]
    if weights.shape[1:3] != (3, 3) or weights.shape[3] != x.shape[3] or op.dilation != (1, 1) or x.shape[0] != 1:
        return False
    w = window_of(layer, (3, 3))
    return _has_thin_borders(w) and _is_reached(w) and _channels(layer) is not None


def _has_thin_borders(w: Window) -> bool:
    below = (w.out_h - 1) * w.stride_h - w.top + 3 - w.in_h
    right = (w.out_w - 1) * w.stride_w - w.left + 3 - w.in_w
    thin = w.top <= 1 and w.left <= 1 and below <= 1 and right <= 1
    return thin and w.in_h >= 3 and w.out_w >= 3 and w.stride_w <= 2


def _is_reached(w: Window) -> bool:
    return 2 * w.in_w * w.in_c <= _REACH and _band_rows(w) * w.out_w * w.out_c < 1 << 16


def _band_rows(w: Window) -> int:
    return min(w.out_h, -(-_OUTPUTS_OF_BAND // w.out_w))


def _channels(layer: Layer) -> _Channels | None:
    x, weights = layer.inputs[:2]
    filters = np.moveaxis(constant_data(weights)[0], 2, 0).astype(np.int64)
    bias = bias_values(layer, len(filters)).astype(np.int64)
    r = requantization_of(layer)
    steep = steep_sums(r, *reachable_sums(bias, filters, x.q.zero_point))
    if steep is None:
        return None
    filters = np.where(steep.constant[:, None, None], 0, filters)
    bias = np.where(steep.constant, 0, bias - x.q.zero_point * filters.sum(axis=(1, 2)))
    start = (bias << FRACTION) + steep.biases
    # Adding up wraps, only the whole sum has to fit.
    start = (start + (1 << 31)) % (1 << 32) - (1 << 31)
    return _Channels(_packed(filters, start, steep.multipliers), steep)


def _packed(filters: Array, start: Array, multipliers: Array) -> Array:
    """Five words for each channel: eight weights, the ninth with its fraction bits, bias, multiplier."""
    eight = np.stack([filters[:, row, column] for row, column in _ORDER], axis=1).astype(np.int8)
    words = [np.ascontiguousarray(eight).view("<i4"), filters[:, 2, 2, None] << FRACTION]
    packed: Array = np.concatenate([*words, start[:, None], multipliers[:, None]], axis=1).astype(np.int32)
    return packed


def bind(layer: Layer) -> Binding:
    """Weights by channel as the walk reads them; strides, offsets and counts as literals."""
    op, x = cast(DepthwiseConv2D, layer.op), layer.inputs[0]
    w, channels = window_of(layer, (3, 3)), _channels(layer)
    assert channels is not None, f"{op.name} does not fit"
    consumed = (w.out_w - 1) * w.stride_w + 3 - w.left
    params = {
        **w.params,
        "in_row": w.in_w * w.in_c,
        "out_row": w.out_w * w.out_c,
        "right": max(0, consumed - w.in_w),
        "rewind": w.stride_h * w.in_w * w.in_c - min(consumed, w.in_w) * w.in_c,
        "band_rows": _band_rows(w),
        "first_whole": -(-w.top // w.stride_h),
        "end_whole": (w.in_h - 3 + w.top) // w.stride_h + 1,
        "in_zero": x.q.zero_point,
        "shift": channels.steep.shift,
        "lift": channels.steep.lift,
    }
    return Binding(params, (Constant("filters", "int32_t", channels.filters),))


def overlap(layer: Layer) -> int:
    """A band's output may reach up to the first row that the band itself reads, for the next channel does so again."""
    w = window_of(layer, (3, 3))
    starts = _bands(w)
    ends = [*starts[1:], w.out_h]
    reads = [min(max(y * w.stride_h - w.top, 0), w.in_h - 3) for y in starts]
    rows = [(end * w.out_w * w.out_c, read * w.in_w * w.in_c) for end, read in zip(ends, reads, strict=True)]
    return max(written - unread for written, unread in rows)


def _bands(w: Window) -> list[int]:
    """The first output row of each band: rows that miss an input row are bands of their own."""
    first, end = -(-w.top // w.stride_h), (w.in_h - 3 + w.top) // w.stride_h + 1
    return [*range(first), *range(first, min(end, w.out_h), _band_rows(w)), *range(min(end, w.out_h), w.out_h)]


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap, needs=frozenset({"dsp"}))
