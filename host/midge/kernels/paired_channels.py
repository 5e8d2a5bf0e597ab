"""Weights for the kernels of firmware/nn/midge_dsp.h: two int8 channels in one int16, in the order the loop reads them.

A word holds 256 * b + a for channels A and B at two positions of the sum, so that two SMLAD and one SXTB16 do four
products. B is found as 256 * B by a subtraction; that wants |B| < 2^23. Four channels make a group, in one stream:

    4 starting values, 2 words per pair of positions, and per channel factor and addend of midge.kernels.one_multiply,
    or multiplier, rounding and shift of the definition where no line can stand for it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array
from midge.kernels.one_multiply import Line, largest_shift, one_multiply
from midge.numerics.requantize import Requantization

GROUP = 4
_REACH_LIMIT = 1 << 23
# The shifts of one multiplication that are tried: larger ones are finer, smaller ones leave room for large factors.
_SHIFTS = (3, 5, 1)
_MOST_RIGHT = 23


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over raw int8 inputs: weights (channels, positions), the bias with the zero point folded in, and the
    least and greatest value by channel."""

    weights: Array
    bias: Array
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class Stream:
    """The words, int32; `shift` of the one multiplication, -1 for the definition's two roundings; the clamp."""

    words: Array
    words_per_group: int
    shift: int
    low: int
    high: int

    @property
    def params(self) -> dict[str, object]:
        """What kernels/dsp.j2 reads."""
        return {"shift": self.shift, "low": self.low, "high": self.high}


def folded_sums(weights: Array, bias: Array, zero_point: int) -> Sums:
    """The sums of a layer with `weights` (output channel first): windows are whole or padded with the zero point."""
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    folded = bias.astype(np.int64) - zero_point * rows.sum(axis=1)
    ends = np.stack([rows * -128, rows * 127])
    return Sums(rows, folded, folded + ends.min(axis=0).sum(axis=1), folded + ends.max(axis=0).sum(axis=1))


def can_pair(sums: Sums, r: Requantization) -> bool:
    """Whether `stream` can pack these sums and this requantization."""
    low_enough = np.maximum(-sums.low, sums.high) < _REACH_LIMIT
    rounded = (r.shifts <= -1) | (r.multipliers == 0)
    return bool(low_enough.all() and rounded.all() and (np.abs(sums.weights) <= 127).all())


def stream(sums: Sums, r: Requantization, order: Array) -> Stream:
    """Pack `sums`; `order` says which position each activation of the kernel's buffer holds, -1 for none.

    Channels are filled up to whole groups. The definition's roundings are used where one multiplication is not exact.
    """
    missing = -len(sums.bias) % GROUP
    channels = len(sums.bias) + missing
    high_channel = np.arange(channels) % 2 == 1
    padded = _filled(sums, missing)
    wide = _for_channels(r, len(sums.bias), missing)
    line = _line(wide, padded, high_channel)
    starts = padded.bias * np.where(high_channel, 256, 1) + (0 if line is None else line.offsets)
    starts[1::2] += starts[0::2]
    tail = _line_words(line) if line is not None else _definition_words(wide, padded)
    words = np.concatenate(
        [_groups(starts), _groups_of_weights(padded.weights, order), tail.reshape(channels // GROUP, -1)], axis=1
    )
    shift = -1 if line is None else int(line.shifts[0])
    return Stream(_int32(words), words.shape[1], shift, r.low, r.high)


def _filled(sums: Sums, missing: int) -> Sums:
    """With so many channels of zeros behind."""
    bias, low, high = (np.pad(v, (0, missing)) for v in (sums.bias, sums.low, sums.high))
    return Sums(np.pad(sums.weights, ((0, missing), (0, 0))), bias, low, high)


def _line(r: Requantization, sums: Sums, high_channel: Array) -> Line | None:
    """With the first shift that does: few different ones, so that layers share functions."""
    gains, most = np.where(high_channel, 256, 1), largest_shift(r)
    for shift in (s for s in _SHIFTS if s <= most):
        line = one_multiply(r, sums.low, sums.high, gains, shift + 8 * high_channel)
        if line is not None:
            return line
    return None


def _for_channels(r: Requantization, channels: int, missing: int) -> Requantization:
    """The factor of each channel, and none for the filling ones."""
    multipliers, shifts = (np.pad(np.broadcast_to(v, channels), (0, missing)) for v in (r.multipliers, r.shifts))
    return Requantization(multipliers, shifts, r.zero_point, r.low, r.high)


def _groups(values: Array) -> Array:
    """(groups, 4)"""
    rows: Array = values.reshape(-1, GROUP)
    return rows


def _groups_of_weights(weights: Array, order: Array) -> Array:
    """(groups, words): for each pair of positions the word of channels 0, 1 and that of 2, 3."""
    ordered = np.where(order >= 0, weights[:, np.maximum(order, 0)], 0)
    halves = (ordered[0::2] + 256 * ordered[1::2]) & 0xFFFF
    words = halves[:, 0::2] | halves[:, 1::2] << 16
    pairs: Array = words.reshape(-1, 2, words.shape[1]).transpose(0, 2, 1)
    return pairs.reshape(len(pairs), -1)


def _line_words(line: Line) -> Array:
    return np.stack([line.factors, line.addends], axis=1)


def _definition_words(r: Requantization, sums: Sums) -> Array:
    """Multiplier, rounding with zero point, shift. A channel that can only be its zero point has no multiplier."""
    right = -r.shifts.astype(np.int64)
    idle = (r.multipliers == 0) | (right > _MOST_RIGHT)
    right = np.where(idle, 1, right)
    rounding = (1 << (right - 1)) + (r.zero_point << right)
    return np.stack([np.where(idle, 0, r.multipliers), rounding, right], axis=1)


def _int32(words: Array) -> Array:
    """The low 32 bits of each."""
    low: Array = (words.reshape(-1) & 0xFFFFFFFF).astype(np.uint32)
    return low.view(np.int32)
