"""Layers in tiles of 4x4 outputs, two at a time, for the kernels that convolve by midge.kernels.winograd.

The inputs of two tiles are transformed to scratch memory, then for four output channels at a time 36 products of
matrices make sums, which become 4x4 outputs of each channel. `pairs` are the pairs of input channels in scratch memory.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import has_constant_weights, is_int8
from midge.kernels.paired_channels import GROUP
from midge.kernels.variant import Layer
from midge.kernels.winograd import PATCH, POSITIONS, TILE, padded_channels, tiles
from midge.ops.conv2d import Conv2D

SCRATCH_LIMIT = 16384
# Less than an eighth is not worth eight times the flash.
CAUTION = 9 / 8
# 36 sums of two tiles and four channels.
_SUMS_BYTES = 4 * 2 * GROUP * POSITIONS


def can_tile(layer: Layer) -> bool:
    """int8 with constant weights of 3x3, stride 1, no groups, no dilation."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    if not (is_int8(layer) and has_constant_weights(layer)) or weights.shape[1:3] != (3, 3):
        return False
    return (op.stride, op.dilation) == ((1, 1), (1, 1)) and x.shape[3] == weights.shape[3]


def tile_params(layer: Layer, pairs: int) -> dict[str, object]:
    """What templates/kernels/winograd.j2 reads, but for the stream."""
    w = window_of(layer, (3, 3))
    rows, columns = tiles(w)
    return {
        **w.params,
        "tiles": rows * columns,
        "tile_rows": rows,
        "tile_columns": columns,
        "words": pairs,
        "copied": copied_tiles(w) > 0,
        "inside": copied_tiles(w) < w.batch * rows * columns,
        "zero": layer.inputs[0].q.zero_point,
    }


def tile_bytes(layer: Layer, pairs: int) -> int:
    """Sums, the transformed inputs of two tiles, and those of one as they are where some is at the image's edge."""
    w = window_of(layer, (3, 3))
    patch = POSITIONS * padded_channels(w.in_c) if copied_tiles(w) > 0 else 0
    return _SUMS_BYTES + 8 * POSITIONS * pairs + patch


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


def growth_of(layer: Layer, pairs: int) -> int:
    """Each 3x3 bytes become 36 int16, with what fills up the channels."""
    weights = layer.inputs[1].shape
    packed = POSITIONS * -(-weights[0] // GROUP) * GROUP * 4 * pairs
    return -(-packed // (9 * weights[0] * weights[3]))


def copied_tiles(w: Window) -> int:
    """How many tiles' inputs are not all in the image, or have pixels that are not whole words."""
    rows, columns = tiles(w)
    if w.in_c % 4:
        return w.batch * rows * columns
    inside = [
        sum(TILE * i >= before and TILE * i - before + PATCH <= size for i in range(count))
        for count, before, size in ((rows, w.top, w.in_h), (columns, w.left, w.in_w))
    ]
    return w.batch * (rows * columns - inside[0] * inside[1])
