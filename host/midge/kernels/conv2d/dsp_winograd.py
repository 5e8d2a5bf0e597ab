"""CONV_2D int8 of 3x3 windows and stride 1 by Winograd's F(4x4, 3x3), exactly, on cores with 16-bit SIMD.

midge.kernels.winograd says why it is exact. Two tiles at a time: their inputs are transformed to scratch memory, then
for four output channels at a time 36 products of matrices make sums, which become 4x4 outputs of each channel. It takes
a quarter of the products of dsp_window, and eight times its flash.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.kernels.conv2d.dsp_window import sums_of
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.paired_channels import GROUP
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.winograd import (
    PATCH,
    POSITIONS,
    TILE,
    can_lift,
    padded_channels,
    tiles,
    turns,
    winograd_stream,
)
from midge.ops.conv2d import Conv2D

_SCRATCH_LIMIT = 16384
_CAUTION = 9 / 8
# 36 sums of two tiles and four channels.
_SUMS_BYTES = 4 * 2 * GROUP * POSITIONS


def fits(layer: Layer) -> bool:
    """int8 with constant weights of 3x3, stride 1, no groups, no dilation, factors below 1/2, 16 KB of scratch."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    if not (is_int8(layer) and has_constant_weights(layer)) or weights.shape[1:3] != (3, 3):
        return False
    if (op.stride, op.dilation) != ((1, 1), (1, 1)) or x.shape[3] != weights.shape[3]:
        return False
    r = requantization_of(layer)
    rounded = bool(((r.shifts <= -1) | (r.multipliers == 0)).all())
    return rounded and scratch_bytes(layer) <= _SCRATCH_LIMIT and can_lift(sums_of(layer))


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream."""
    w, r = window_of(layer, (3, 3)), requantization_of(layer)
    packed = winograd_stream(constant_data(layer.inputs[1]), sums_of(layer), r)
    rows, columns = tiles(w)
    unroll, words = turns(w.in_c)
    params: dict[str, object] = {
        **w.params,
        "tiles": rows * columns,
        "tile_rows": rows,
        "tile_columns": columns,
        "unroll": unroll,
        "words": words,
        "copied": _copied_tiles(w) > 0,
        "inside": _copied_tiles(w) < w.batch * rows * columns,
        "zero": layer.inputs[0].q.zero_point,
        "group_words": packed.words_per_group,
        "record": packed.record,
        "shift": packed.shift,
        "low": r.low,
        "high": r.high,
    }
    return Binding(params, (Constant("stream", "int32_t", packed.words),))


def scratch_bytes(layer: Layer) -> int:
    """Sums, the transformed inputs of two tiles, and those of one as they are where some is at the image's edge."""
    w = window_of(layer, (3, 3))
    patch = POSITIONS * padded_channels(w.in_c) if _copied_tiles(w) > 0 else 0
    return _SUMS_BYTES + 8 * POSITIONS * turns(w.in_c)[1] + patch


def overlap(layer: Layer) -> int:
    """Both tiles' inputs are transformed before their outputs are written, so only later tiles' must not be hit."""
    w = window_of(layer, (3, 3))
    rows, columns = tiles(w)
    image, row, column = np.indices((w.batch, rows, columns)).reshape(3, -1)
    row, column = TILE * row, TILE * column
    first_row, first_column = np.clip(row - w.top, 0, w.in_h - 1), np.clip(column - w.left, 0, w.in_w - 1)
    first = ((image * w.in_h + first_row) * w.in_w + first_column) * w.in_c
    last_row, last_column = np.minimum(row + TILE, w.out_h) - 1, np.minimum(column + TILE, w.out_w)
    written = np.maximum.accumulate(((image * w.out_h + last_row) * w.out_w + last_column) * w.out_c)
    unread = np.minimum.accumulate(first[::-1])[::-1]
    later = np.flatnonzero(np.arange(len(first)) % (rows * columns) % 2 == 0)[1:]
    return int((written[later - 1] - unread[later]).max(initial=-layer.inputs[0].bytes))


def cycles(layer: Layer) -> int:
    """Estimated: the loops of the template, counted, and what goes around them, fitted to 18 layers of 3 to 64 channels
    and 4 to 1024 positions, which it meets to 8 %; an eighth is added, for less is not worth eight times the flash."""
    w = window_of(layer, (3, 3))
    unroll, words = turns(w.in_c)
    count, groups, quads = w.batch * tiles(w)[0] * tiles(w)[1], -(-w.out_c // GROUP), padded_channels(w.in_c) // 4
    inputs = 834 * quads + 90 + (_copied_tiles(w) / count) * _patch_cycles(w.in_c)
    turn = 17 + 2 * (unroll > 12) if unroll == words else 29 + 6 * (words // unroll)
    products = POSITIONS * (16 * words + turn) + 30
    outputs = 4 * 290 + 30 + (75 if w.out_c % 4 == 0 else 400)
    return round(_CAUTION * (count * (inputs + groups * outputs) + -(-count // 2) * groups * products))


def _patch_cycles(channels: int) -> int:
    quads = padded_channels(channels) // 4
    return 6 * (60 + 16 * quads) if channels % 4 == 0 else 36 * (20 + 12 * (channels % 4) + 5 * quads)


def growth(layer: Layer) -> int:
    """Each 3x3 bytes become 36 int16, with what fills up the channels."""
    weights = layer.inputs[1].shape
    packed = POSITIONS * -(-weights[0] // GROUP) * GROUP * 4 * turns(weights[3])[1]
    return -(-packed // (9 * weights[0] * weights[3]))


def _copied_tiles(w: Window) -> int:
    """How many tiles' inputs are not all in the image, or have pixels that are not whole words."""
    rows, columns = tiles(w)
    if w.in_c % 4:
        return w.batch * rows * columns
    inside = [
        sum(TILE * i >= before and TILE * i - before + PATCH <= size for i in range(count))
        for count, before, size in ((rows, w.top, w.in_h), (columns, w.left, w.in_w))
    ]
    return w.batch * (rows * columns - inside[0] * inside[1])


VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=scratch_bytes,
    overlap=overlap,
    growth=growth,
    cycles=cycles,
)
