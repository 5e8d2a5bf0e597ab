"""Weights for the kernels of firmware/nn/midge_dsp.h: two int8 channels in one int16, in the order the loop reads them.

A word holds 256 * b + a for channels A and B at two positions of the sum, so that two SMLAD and one SXTB16 do four
products. B is found as 256 * B by a subtraction; that wants |B| < 2^23. Four channels make a group, in one stream:

    4 starting values, 2 words per pair of positions, and per channel factor and addend of midge.kernels.one_multiply,
    or multiplier, rounding and shift of the definition where no line can stand for it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.narrow import Packing
from midge.kernels.one_multiply import Line, largest_shift, one_multiply
from midge.kernels.variant import Constant
from midge.numerics.requantize import Requantization

GROUP = 4
_REACH_LIMIT = 1 << 23
# The shifts of one multiplication that are tried: larger ones are finer, smaller ones leave room for large factors.
_SHIFTS = (3, 5, 1)
_MOST_RIGHT = 23
# What is added to sums leaves room for what midge.kernels.narrow_channels adds in turn.
_OFFSET_LIMIT = 1 << 29


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
    """The words, int32; `shift` of the one multiplication, -1 for the definition's two roundings; the clamp.

    `width` of the weights; the sum of channel c of a group comes multiplied by 2^lifts[c]. `gained`: it still lacks
    gain and bias, which come before the definition's words. `tables`: other constants that the kernel reads.
    """

    words: Array
    words_per_group: int
    shift: int
    low: int
    high: int
    width: Packing = "int8"
    lifts: tuple[int, ...] = (0, 8, 0, 8)
    gained: bool = False
    tables: tuple[Constant, ...] = ()

    @property
    def params(self) -> dict[str, object]:
        """What kernels/dsp.j2 reads."""
        clamp: dict[str, object] = {"low": self.low, "high": self.high}
        return {"shift": self.shift, **clamp, "width": self.width, "lifts": list(self.lifts), "gained": self.gained}


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
    asked = requantize(sums, r, (0, 8, 0, 8))
    starts = asked.starts.copy()
    starts[:, 1::2] += starts[:, 0::2]
    words = np.concatenate([starts, paired_words(asked.sums.weights, order), asked.tail], axis=1)
    return Stream(int32_words(words).reshape(-1), words.shape[1], asked.shift, r.low, r.high)


@dataclass(frozen=True, eq=False)
class Requantized:
    """`sums` filled up to whole groups; by group (rows) the starts of its lifted sums and the words that requantize;
    `shift` of the one multiplication, or -1."""

    sums: Sums
    starts: Array
    tail: Array
    shift: int


def requantize(sums: Sums, r: Requantization, lifts: tuple[int, ...]) -> Requantized:
    """By one multiplication where that is exact, else as defined, for sums that come multiplied by 2^lifts."""
    missing = -len(sums.bias) % GROUP
    padded, wide = _filled(sums, missing), _for_channels(r, len(sums.bias), missing)
    lifted = np.tile(lifts, len(padded.bias) // GROUP)
    line = _line(wide, padded, lifted)
    starts = (padded.bias << lifted) + (0 if line is None else line.offsets)
    tail = _line_words(line) if line is not None else _definition_words(wide, padded)
    shift = -1 if line is None else int(line.shifts[0]) - lifts[0]
    return Requantized(padded, starts.reshape(-1, GROUP), tail.reshape(len(padded.bias) // GROUP, -1), shift)


def _filled(sums: Sums, missing: int) -> Sums:
    """With so many channels of zeros behind."""
    bias, low, high = (np.pad(v, (0, missing)) for v in (sums.bias, sums.low, sums.high))
    return Sums(np.pad(sums.weights, ((0, missing), (0, 0))), bias, low, high)


def _line(r: Requantization, sums: Sums, lifted: Array) -> Line | None:
    """With the first shift that does: few different ones, so that layers share functions."""
    most = largest_shift(r)
    # An instruction that shifts by 0 has no form of its own.
    shifts = (*_SHIFTS, 0) if lifted.min() > 0 else _SHIFTS
    for shift in (s for s in shifts if s <= most):
        line = one_multiply(r, sums.low, sums.high, 1 << lifted, shift + lifted)
        if line is not None and np.abs(line.offsets).max() < _OFFSET_LIMIT:
            return line
    return None


def _for_channels(r: Requantization, channels: int, missing: int) -> Requantization:
    """The factor of each channel, and none for the filling ones."""
    multipliers, shifts = (np.pad(np.broadcast_to(v, channels), (0, missing)) for v in (r.multipliers, r.shifts))
    return Requantization(multipliers, shifts, r.zero_point, r.low, r.high)


def in_order(weights: Array, order: Array) -> Array:
    """Weights (channels, positions) in the order of the kernel's buffer; 0 where it holds none."""
    return np.where(order >= 0, weights[:, np.maximum(order, 0)], 0)


def paired_words(weights: Array, order: Array) -> Array:
    """(groups, words) of whole groups: for each pair of positions the word of channels 0, 1 and that of 2, 3."""
    ordered = in_order(weights, order)
    halves = (ordered[0::2] + 256 * ordered[1::2]) & 0xFFFF
    words = halves[:, 0::2] | halves[:, 1::2] << 16
    pairs: Array = words.reshape(-1, 2, words.shape[1]).transpose(0, 2, 1)
    return pairs.reshape(len(pairs), -1)


def _line_words(line: Line) -> Array:
    return np.stack([line.factors, line.addends], axis=1)


def gained_words(sums: Sums, r: Requantization, gains: Array) -> Array:
    """(groups, words): per channel gain, bias, and the definition's words, for sums of weights without their gain."""
    missing = -len(sums.bias) % GROUP
    padded = _filled(sums, missing)
    words = _definition_words(_for_channels(r, len(sums.bias), missing), padded)
    gained = np.concatenate([np.pad(gains, (0, missing))[:, None], padded.bias[:, None], words], axis=1)
    return np.asarray(gained.reshape(len(gained) // GROUP, -1))


def _definition_words(r: Requantization, sums: Sums) -> Array:
    """Multiplier, rounding with zero point, shift. A channel that can only be its zero point has no multiplier."""
    right = -r.shifts.astype(np.int64)
    idle = (r.multipliers == 0) | (right > _MOST_RIGHT)
    right = np.where(idle, 1, right)
    rounding = (1 << (right - 1)) + (r.zero_point << right)
    return np.stack([np.where(idle, 0, r.multipliers), rounding, right], axis=1)
