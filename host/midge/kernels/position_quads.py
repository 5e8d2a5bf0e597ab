"""Weights for the kernels of firmware/nn/midge_riscv.h: two channels meet four pixels, four positions at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.pixel_pairs import can_add_pairs
from midge.kernels.steep_sums import UINT8, SteepSums, split_sums, steep_sums
from midge.kernels.variant import Constant
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"rv32m"})
QUAD = 4
"""Positions that are done at once."""

MOST_TOGETHER = 255
"""The most that the sizes of weights may add up to whose products go together."""
# Quads that share a word of flags.
_SPAN = 32
# Bits of a sum's fraction that are tried: more leave more room for each step, fewer leave more to the sum.
_FRACTIONS = (8, 10, 9, 7, 6)


@dataclass(frozen=True, eq=False)
class Scaling:
    """How sums with `fraction` bits of a fraction become outputs: `words` (channels, 2 or 3) are bias, multiplier and,
    where `is_signed`, jump; `constant` tells the channels whose sums must be 0."""

    words: Array
    constant: Array
    fraction: int
    shift: int
    is_signed: bool
    addend: int

    @property
    def params(self) -> dict[str, object]:
        """What kernels/riscv.j2 reads."""
        return {"fraction": self.fraction, "shift": self.shift, "is_signed": self.is_signed, "addend": self.addend}


def scaling_of(rows: Array, bias: Array, zero_point: int, r: Requantization) -> Scaling | None:
    """How sums of (x - zero_point) * w + bias become outputs, from sums of x * w; None where no rule is exact."""
    ends = np.stack([rows * -128, rows * 127])
    folded = bias.astype(np.int64) - zero_point * rows.sum(axis=1)
    low, high = folded + ends.min(axis=0).sum(axis=1), folded + ends.max(axis=0).sum(axis=1)
    for fraction in _FRACTIONS:
        steep = steep_sums(r, low, high, (UINT8,), fraction)
        if steep is not None:
            return _scaling(steep, folded, 0, fraction)
    for fraction in _FRACTIONS:
        split = split_sums(r, low, high, fraction)
        if split is not None:
            return _scaling(split, folded, split.addend + (UINT8 << split.shift), fraction)
    return None


def _scaling(found: SteepSums, folded: Array, addend: int, fraction: int) -> Scaling:
    biases = found.biases + (np.where(found.constant, 0, folded) << fraction)
    jumps = () if found.jumps is None else (found.jumps,)
    words = np.stack([biases, found.multipliers, *jumps], axis=1)
    return Scaling(int32_words(words), found.constant, fraction, found.shift, found.jumps is not None, addend)


def row_instructions(units: int, positions: int) -> int:
    """What one row takes by eight channels at a time, about."""
    return 2 * units * positions + 15 * units + 400


def dense_pixel(units: int, positions: int) -> int:
    """Instructions of a pixel by pairs of channels, about."""
    return (2 * positions + 15) * units + 5 * positions


def quads(positions: int) -> int:
    """Quads that hold that many positions."""
    return -(-positions // QUAD)


def can_add(rows: Array) -> bool:
    """Whether these weights (channels, positions) can be done: two channels or more, pairs that fit."""
    return len(rows) > 1 and can_add_pairs(_padded(rows))


def bind_matrix(
    rows: Array, bias: Array, zero_point: int, r: Requantization
) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) of sums with the weights `rows` (channels, positions), which `can_add`."""
    scaled = scaling_of(rows, bias, zero_point, r)
    assert scaled is not None, "no rule is exact"
    order = channel_order(len(rows))
    kept = np.where(scaled.constant[:, None], 0, rows)[order]
    constants = (
        Constant("weights", "int32_t", _stream(_padded(kept))),
        Constant("scales", "int32_t", scaled.words[order].reshape(-1)),
    )
    return {**scaled.params, "quads": quads(rows.shape[1])}, constants


def channel_order(channels: int) -> Array:
    """The channels by pairs; the last of an odd number is done with the one before it, once more."""
    return np.concatenate([np.arange(channels - channels % 2), np.arange(channels - 2 * (channels % 2), channels)])


def _padded(rows: Array) -> Array:
    return np.pad(rows.astype(np.int64), ((0, 0), (0, -rows.shape[1] % QUAD)))


def _stream(rows: Array) -> Array:
    """By pairs of channels: for up to 32 quads a word of flags, the first quad's highest, then the quads' weights, four
    of each channel. A flag says that four products of either channel do not go together."""
    pairs = rows.reshape(-1, 2, rows.shape[1] // QUAD, QUAD).transpose(0, 2, 1, 3)
    apart = (np.abs(pairs).sum(axis=3) > MOST_TOGETHER).any(axis=2)
    words = np.ascontiguousarray(pairs.astype(np.int8)).reshape(len(pairs), -1, 2 * QUAD).view("<i4")
    parts = []
    for at in range(0, words.shape[1], _SPAN):
        span = apart[:, at : at + _SPAN]
        flags = (span.astype(np.int64) << (31 - np.arange(span.shape[1]))).sum(axis=1)
        parts += [int32_words(flags)[:, None], words[:, at : at + _SPAN].reshape(len(words), -1)]
    stream: Array = np.concatenate(parts, axis=1).astype(np.int32).reshape(-1)
    return stream
