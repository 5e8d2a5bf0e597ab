"""Indices into a table of weights for the kernels of firmware/nn/midge_dsp_indexed.h: a byte of them is a place among
256 words, which the kernel makes of the table in scratch memory.

    index4    a byte: one channel at two positions, the later one in the upper bits. Its word holds both weights as
              int16. One word of four bytes, channels A to D, meets a pair of activations.
    index2    a byte: two channels at two positions, a first, then b, the later position in the upper bits. Its word is
              that of midge.kernels.paired_channels, 256b + a for each position. Bytes AB and CD are half a word, which
              meets a pair of activations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.narrow import Narrow, Packing
from midge.kernels.paired_channels import GROUP, Stream, Sums, can_pair, requantize
from midge.kernels.variant import Constant
from midge.numerics.requantize import Requantization

# Bytes of scratch memory that the 256 words take.
TABLE_BYTES = 1024
_VALUES: Mapping[Packing, int] = {"index2": 4, "index4": 16}
_LIFTS: Mapping[Packing, tuple[int, int, int, int]] = {"index2": (0, 8, 0, 8), "index4": (0, 0, 0, 0)}


def can_index(found: Narrow, sums: Sums, r: Requantization, order: Array) -> bool:
    """Whether `indexed_stream` can pack these weights in this order: at most 16 values, 0 among them or room for it
    where the kernel's buffer holds values that are no activations, sums below 2^23, factors below 1/2."""
    if found.table is None or found.width not in _VALUES:
        return False
    has_zero = (order >= 0).all() or 0 in found.table or len(found.table) < _VALUES[found.width]
    return bool(has_zero) and can_pair(sums, r)


def widened(found: Narrow) -> Narrow:
    """The same with indices of 4 bits, for tables that 2 bits leave no room for a 0 in."""
    return replace(found, width="index4")


def indexed_stream(found: Narrow, sums: Sums, r: Requantization, order: Array) -> Stream:
    """As midge.kernels.paired_channels.stream, with indices instead of weights."""
    lifts = _LIFTS[found.width]
    asked = requantize(sums, r, lifts)
    starts = asked.starts.copy()
    if found.width == "index2":
        starts[:, 1::2] += starts[:, 0::2]
    rows = np.pad(found.rows, ((0, -len(found.rows) % GROUP), (0, 0)))
    table, zero = _table(found), 0
    if (order < 0).any():
        zero = int(np.flatnonzero(table == 0)[0])
    indices = np.where(order >= 0, rows[:, np.maximum(order, 0)], zero).reshape(-1, GROUP, len(order) // 2, 2)
    words = np.concatenate([starts, _words(indices, found.width), asked.tail], axis=1)
    packed = Stream(int32_words(words).reshape(-1), words.shape[1], asked.shift, r.low, r.high, found.width, lifts)
    return replace(packed, tables=(Constant("values", "int8_t", table.astype(np.int8)),))


def _table(found: Narrow) -> Array:
    assert found.table is not None
    return np.pad(found.table, (0, _VALUES[found.width] - len(found.table)))


def _words(indices: Array, width: Packing) -> Array:
    """(groups, words) of indices (groups, channels, pairs, 2)."""
    if width == "index4":
        fields = indices[..., 0] | indices[..., 1] << 4
        return np.asarray((fields << 8 * np.arange(GROUP)[:, None]).sum(axis=1))
    shifts = np.array([0, 2, 8, 10])[:, None, None] + np.array([0, 4])
    halves = (indices << shifts).sum(axis=(1, 3))
    return np.asarray(halves[:, 0::2] | halves[:, 1::2] << 16)
