"""Narrow weights for the kernels of firmware/nn/midge_dsp_narrow.h: four channels in one word for pairs of activations.

The halves of a word belong to two positions; SXTB16 makes two int16 of bytes 0 and 2, and with a rotation of 1 and 3.
Sums are taken of whatever fields a byte holds together, and disentangled once, behind the loop. Channels are A to D:

    int4      one word for a pair: bytes 16b + a and 16d + c. The word gives 16B + A and 16D + C; shifted left by 4 and
              masked, 16A and 16C.
    ternary   one byte for a pair, half a word: 64a + 16b + 4c + d. Shifted left by 2, 4 and 6 it loses a, b and c.
    int2      the same bytes, a lowest, with a mask: with -2 among the weights they do not add up within a byte.
    binary    four bits for each of two positions, an eighth of a word: bits 1 to 4 of each half, after a rotation by 4
              for each pair before. With N the sum of x where w is 1, the sum is 2N less that of all x, which stands
              behind the activations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.narrow import Narrow, Packing
from midge.kernels.paired_channels import GROUP, Stream, Sums, can_pair, gained_words, in_order, requantize
from midge.numerics.requantize import Requantization

# The sum of channel c comes multiplied by 2^LIFTS[c].
LIFTS: Mapping[Packing, tuple[int, int, int, int]] = {
    "int4": (4, 4, 4, 4),
    "int2": (6, 6, 6, 6),
    "ternary": (6, 6, 6, 6),
    "binary": (0, 1, 2, 3),
}
_REACH_LIMIT = 1 << 22


def can_interleave(found: Narrow | None, sums: Sums, r: Requantization) -> bool:
    """Whether `narrow_stream` can pack these weights: -7..7 times a gain, sums below 2^22, factors below 1/2."""
    if found is None or found.table is not None or found.rows.min() < -7:
        return False
    low_enough = np.maximum(-sums.low, sums.high) < _REACH_LIMIT
    return bool(low_enough.all()) and can_pair(sums, r)


def narrow_stream(found: Narrow, sums: Sums, r: Requantization, order: Array) -> Stream:
    """As midge.kernels.paired_channels.stream, with fewer words of weights.

    Where weights have a gain the definition requantizes: gain and bias come to the sum first.
    """
    lifts, missing = LIFTS[found.width], -len(sums.bias) % GROUP
    rows = np.pad(found.rows, ((0, missing), (0, 0)))
    weights = in_order(rows, order).reshape(-1, GROUP, len(order) // 2, 2)
    if found.is_plain:
        asked = requantize(sums, r, lifts)
        starts, tail, shift = _STARTS[found.width](asked.starts), asked.tail, asked.shift
    else:
        starts, tail, shift = np.zeros((len(weights), GROUP), np.int64), gained_words(sums, r, found.gains), -1
    words = np.concatenate([starts, _WORDS[found.width](weights), tail], axis=1)
    gained = not found.is_plain
    return Stream(int32_words(words).reshape(-1), words.shape[1], shift, r.low, r.high, found.width, lifts, gained)


def _int4_starts(wanted: Array) -> Array:
    """B is what is left of 16B + A without a sixteenth of 16A, and D alike."""
    starts = wanted.copy()
    starts[:, 1::2] += starts[:, 0::2] >> 4
    return starts


def _ternary_starts(wanted: Array) -> Array:
    """A is what is left without a quarter of the sum of B, C and D, and so on."""
    starts = wanted.copy()
    for channel in (2, 1, 0):
        starts[:, channel] += starts[:, channel + 1] >> 2
    return starts


def _int4_words(weights: Array) -> Array:
    """(groups, pairs) of weights (groups, channels, pairs, 2)."""
    a, b, c, d = (weights[:, channel] for channel in range(GROUP))
    return _word(16 * b + a, 16 * d + c)


def _ternary_words(weights: Array) -> Array:
    """(groups, pairs / 2)"""
    fields = (weights * np.array([64, 16, 4, 1])[:, None, None]).sum(axis=1)
    return _word(fields[:, 0::2], fields[:, 1::2])


def _int2_words(weights: Array) -> Array:
    """(groups, pairs / 2)"""
    fields = ((weights & 3) * np.array([1, 4, 16, 64])[:, None, None]).sum(axis=1)
    return _word(fields[:, 0::2], fields[:, 1::2])


def _binary_words(weights: Array) -> Array:
    """(groups, pairs / 4)"""
    pairs = weights.shape[2]
    # Bit of (channel, pair, position of the pair).
    channel, pair, position = np.ogrid[:GROUP, :pairs, :2]
    bits = np.int64(1) << (1 + channel + 4 * (pair % 4) + 16 * position) % 32
    words = ((weights > 0) * bits).sum(axis=(1, 3))
    return np.asarray(words.reshape(len(words), -1, 4).sum(axis=2))


def _word(low: Array, high: Array) -> Array:
    """Words (groups, n) whose halves, by position, hold the bytes of `low` and `high` (groups, n, 2)."""
    halves = (low & 0xFF) | (high & 0xFF) << 8
    return np.asarray(halves[..., 0] | halves[..., 1] << 16)


_STARTS: Mapping[Packing, Callable[[Array], Array]] = {
    "int4": _int4_starts,
    "int2": np.asarray,
    "ternary": _ternary_starts,
    "binary": np.asarray,
}
_WORDS: Mapping[Packing, Callable[[Array], Array]] = {
    "int4": _int4_words,
    "int2": _int2_words,
    "ternary": _ternary_words,
    "binary": _binary_words,
}
