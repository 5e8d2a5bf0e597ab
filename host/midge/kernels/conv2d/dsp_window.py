"""CONV_2D int8 of any window on cores with 16-bit SIMD: two neighboring pixels and four channels at a time.

The rows that a row of outputs sees are widened to int16 once and kept by columns: for each input column, padding
included, the values of all rows of the window. So the window of a pixel is one run of words, whatever its size, and the
border is nothing special. From one row of outputs to the next the columns move up, and only new rows are widened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.conv2d.dsp_pointwise import is_pointwise
from midge.kernels.dsp_cycles import dense_window_cycles
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.paired_channels import GROUP, Stream, Sums, can_pair, folded_sums, stream
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.conv2d import Conv2D

_SCRATCH_LIMIT = 8192
# The second pixel's offset is an immediate of LDR.
_HOP_LIMIT = 4000
# Pairs of positions done per turn of the inner loop, some 56 bytes of code each: where one turn is enough, and else.
_ONE_TURN, _MOST_UNROLL = 24, 12


@dataclass(frozen=True)
class Columns:
    """The buffer: columns of `halves` int16 each, `count` of them; a window is `words` words (in turns of `unroll`).

    `shared`: so many words meet one word of weights, 1 or 2.
    """

    window: Window
    shared: int = 1

    @property
    def count(self) -> int:
        """Input columns that any window sees, padding included."""
        return (self.window.out_w - 1) * self.window.stride_w + self.window.k_w

    @property
    def halves(self) -> int:
        """Values of a column, one more where windows would otherwise begin in the middle of a word."""
        values = self.window.k_h * self.window.in_c
        return values + (values * self.window.stride_w) % 2

    @property
    def hop(self) -> int:
        """Bytes from one pixel's window to the next."""
        return 2 * self.halves * self.window.stride_w

    @cached_property
    def turns(self) -> tuple[int, int]:
        """(pairs per turn, pairs in all): the fewest cycles, 15 for a pair and 4 for a turn."""
        pairs = -(-self.window.k_w * self.halves // 2)

        def cycles(unroll: int) -> int:
            count = -(-pairs // unroll)
            return count * 15 * unroll + (4 * count if count > 1 else 0)

        # A single pixel's loop takes two pairs at once.
        even = max(1 + self.window.out_w % 2, self.shared)
        most = _ONE_TURN if pairs <= _ONE_TURN else _MOST_UNROLL
        unroll = min(range(even, most + 1, even), key=cycles)
        return unroll, -(-pairs // unroll) * unroll

    @property
    def bytes(self) -> int:
        """All columns, and what the last window reads behind them."""
        last = (self.window.out_w - 1) * self.hop + 4 * self.turns[1]
        return max(last, 4 * -(-self.count * self.halves // 2))

    @property
    def order(self) -> Array:
        """Which weight (in OHWI order) each int16 of a window meets, -1 for none."""
        w = self.window
        rows, channels = np.arange(w.k_h)[:, None], _channel_order(w.in_c)[None, :]
        column = np.full(self.halves, -1)
        order = np.full(2 * self.turns[1], -1)
        for kx in range(w.k_w):
            column[: w.k_h * w.in_c] = ((rows * w.k_w + kx) * w.in_c + channels).reshape(-1)
            order[kx * self.halves : (kx + 1) * self.halves] = column
        return order


def _channel_order(channels: int) -> Array:
    """The order in which a pixel's channels are widened: of each four bytes first 0 and 2, then 1 and 3."""
    order = np.arange(channels)
    return order.reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(-1) if channels % 4 == 0 else order


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one image, no groups, no dilation, a buffer of at most 8 KB, sums below 2^23."""
    return has_columns(layer) and can_pair(sums_of(layer), requantization_of(layer))


def has_columns(layer: Layer, shared: int = 1) -> bool:
    """int8 with constant weights, one image, no groups, no dilation, a buffer of at most 8 KB."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    if not (is_int8(layer) and has_constant_weights(layer)) or x.shape[0] > 1 or x.shape[3] != weights.shape[3]:
        return False
    columns = columns_of(layer, shared)
    return op.dilation == (1, 1) and columns.bytes <= _SCRATCH_LIMIT and columns.hop <= _HOP_LIMIT


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream."""
    columns = columns_of(layer)
    return bind_columns(layer, columns, stream(sums_of(layer), requantization_of(layer), columns.order))


def bind_columns(layer: Layer, columns: Columns, packed: Stream) -> Binding:
    """Literal sizes for that stream."""
    words = {"whole_words": columns.window.out_c // GROUP * packed.words_per_group, "all_words": len(packed.words)}
    params = {**sizes_of(layer, columns), **packed.params, **words}
    return Binding(params, (Constant("stream", "int32_t", packed.words), *packed.tables))


def sizes_of(layer: Layer, columns: Columns) -> dict[str, object]:
    """Literal sizes."""
    w, unroll, words = columns.window, *columns.turns
    rest = w.out_c % GROUP
    return {
        **w.params,
        "columns": columns.count,
        "halves": columns.halves,
        "hop": columns.hop,
        "unroll": unroll,
        "words": words,
        "zero_pair": _pair(layer.inputs[0].q.zero_point),
        "zero": layer.inputs[0].q.zero_point,
        "buffer_words": -(-columns.count * columns.halves // 2),
        "whole": w.out_c - rest,
        "rest": rest,
    }


def scratch_bytes(layer: Layer) -> int:
    """The columns."""
    return columns_of(layer).bytes


def overlap(layer: Layer) -> int:
    """A row of outputs is written when the rows that it sees are widened, so only later rows must not be hit."""
    w = columns_of(layer).window
    distances = [-w.in_h * w.in_w * w.in_c]
    for y in range(w.out_h - 1):
        unread = (y + 1) * w.stride_h - w.top + max(0, w.k_h - w.stride_h)
        if unread < w.in_h:
            distances.append((y + 1) * w.out_w * w.out_c - max(0, unread) * w.in_w * w.in_c)
    return max(distances)


def _pair(value: int) -> int:
    return (value & 0xFFFF) | (value & 0xFFFF) << 16


def columns_of(layer: Layer, shared: int = 1) -> Columns:
    """The buffer of the layer's windows."""
    weights = layer.inputs[1].shape
    return Columns(window_of(layer, (weights[1], weights[2])), shared)


def sums_of(layer: Layer) -> Sums:
    """The input's zero point folded into the bias: the border is widened as that."""
    x, weights = layer.inputs[:2]
    return folded_sums(constant_data(weights), bias_values(layer, weights.shape[0]), x.q.zero_point)


def cycles(layer: Layer) -> int:
    """Estimated; a 1x1 window is dsp_pointwise's where that fits."""
    columns = columns_of(layer)
    return dense_window_cycles(columns.window, *columns.turns) << int(is_pointwise(layer))


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, cycles=cycles
)
