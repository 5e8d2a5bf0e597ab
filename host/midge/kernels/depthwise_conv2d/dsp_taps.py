"""DEPTHWISE_CONV_2D without padding for cores with dual multiply-accumulates: any window, four channels at a time.

Two taps of four channels are two words; unpacked into a pair of int16 for each channel they meet a pair of weights.
All outputs along one axis are done for four channels before the next four. Sums are requantized by one multiplication
(midge.kernels.steep_sums). When the channels are no multiple of four, the last group begins inside the one before it
and does some of its outputs again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import (
    bias_values,
    constant_data,
    has_constant_weights,
    int32_words,
    is_int8,
    requantization_of,
)
from midge.kernels.steep_sums import FRACTION, SteepSums, reachable_sums, split_sums, steep_sums
from midge.kernels.variant import Binding, Constant, Layer, Variant

LANES = 4
# How far loads and additions reach with an immediate.
_REACH = 4095
# Each pair of taps is some fifty bytes of code.
_MOST_TAPS = 32


@dataclass(frozen=True)
class _Walk:
    """Where the outputs are: `rows` rows of `steps` outputs, and how far input and output go from one to the next."""

    rows: int
    steps: int
    in_step: int
    in_row: int
    out_row: int


def fits(layer: Layer) -> bool:
    """One output per input channel, four channels or more, and no window that reaches past the input."""
    if not (has_constant_weights(layer) and is_int8(layer)):
        return False
    x, weights = layer.inputs[:2]
    taps = weights.shape[1] * weights.shape[2]
    if weights.shape[3] != x.shape[3] or x.shape[3] < LANES or x.shape[0] != 1 or not 1 < taps <= _MOST_TAPS:
        return False
    w = window_of(layer, (weights.shape[1], weights.shape[2]))
    if w.is_clipped or max(*_offsets(w), _walk(w).in_step, w.in_c) > _REACH:
        return False
    return _steep(layer) is not None


def _walk(w: Window) -> _Walk:
    in_row, out_row = w.stride_h * w.in_w * w.in_c, w.out_w * w.out_c
    if w.out_w == 1:
        return _Walk(1, w.out_h, in_row, 0, 0)
    return _Walk(w.out_h, w.out_w, w.stride_w * w.in_c, in_row, out_row)


def _offsets(w: Window) -> list[int]:
    """Bytes from the first tap of a window to each of its taps."""
    return [(ky * w.dilation_h * w.in_w + kx * w.dilation_w) * w.in_c for ky in range(w.k_h) for kx in range(w.k_w)]


def _steep(layer: Layer) -> SteepSums | None:
    x, weights = layer.inputs[:2]
    filters = np.moveaxis(constant_data(weights)[0], 2, 0).astype(np.int64)
    sums = reachable_sums(bias_values(layer, len(filters)).astype(np.int64), filters, x.q.zero_point)
    r = requantization_of(layer)
    return steep_sums(r, *sums) or split_sums(r, *sums)


def _packed(layer: Layer, steep: SteepSums) -> Array:
    """For each group: biases, a word for each pair of taps and channel, multipliers and jumps; int32, (groups, words).

    The last of an odd number of taps has two words, for channels 0 and 2, and 1 and 3.
    """
    x, weights = layer.inputs[:2]
    filters = constant_data(weights).reshape(-1, weights.shape[3]).astype(np.int64)
    filters = np.where(steep.constant, 0, filters)
    bias = np.where(steep.constant, 0, bias_values(layer, filters.shape[1]).astype(np.int64))
    start = ((bias - np.where(steep.constant, 0, x.q.zero_point * filters.sum(axis=0))) << FRACTION) + steep.biases
    high = filters << FRACTION
    groups = []
    for first in _first_channels(weights.shape[3]):
        lanes = slice(first, first + LANES)
        words = [start[lanes], *(_pair(high[t, lanes], high[t + 1, lanes]) for t in range(0, len(high) - 1, 2))]
        if len(high) % 2:
            last = high[-1, lanes]
            words.append(_pair(last[:2], last[2:]))
        words.append(steep.multipliers[lanes])
        if steep.jumps is not None:
            words.append(steep.jumps[lanes])
        groups.append(np.concatenate(words))
    return int32_words(np.stack(groups))


def _first_channels(channels: int) -> list[int]:
    return [min(c, channels - LANES) for c in range(0, channels, LANES)]


def _pair(low: Array, high: Array) -> Array:
    return (low & 0xFFFF) | (high << 16)


def bind(layer: Layer) -> Binding:
    """Constants by groups of four channels; all offsets as literals."""
    weights = layer.inputs[1]
    w, steep = window_of(layer, (weights.shape[1], weights.shape[2])), _steep(layer)
    assert steep is not None, f"{layer.op.name} does not fit"
    packed, walk = _packed(layer, steep), _walk(w)
    params = {
        **w.params,
        "rows": walk.rows,
        "steps": walk.steps,
        "in_step": walk.in_step,
        "in_row": walk.in_row,
        "out_row": walk.out_row,
        "groups": len(packed),
        "group_words": packed.shape[1],
        "offsets": _offsets(w),
        "shift": steep.shift,
        "lift": steep.lift,
        "splits": steep.jumps is not None,
        "addend": steep.addend,
    }
    return Binding(params, (Constant("filters", "int32_t", packed),))


def overlap(layer: Layer) -> int | None:
    """A row of outputs may reach up to the first input that the row itself reads, for the next channels do so again."""
    weights = layer.inputs[1]
    walk = _walk(window_of(layer, (weights.shape[1], weights.shape[2])))
    if walk.rows == 1:
        return None
    return max((y + 1) * walk.out_row - y * walk.in_row for y in range(walk.rows))


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap, needs=frozenset({"dsp", "unaligned"}))
