"""Weights for the kernels of firmware/nn/midge_scalar.h: two channels meet two pixels, one multiplication each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words, integer_clamp_literals
from midge.kernels.two_products import two_products
from midge.kernels.variant import Constant
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"scalar"})
DEPTH = 8
"""Positions done per turn of the inner loop."""

_MOST_PAIR = 255


def padded_depth(positions: int) -> int:
    """Positions filled up to whole turns."""
    return -(-positions // DEPTH) * DEPTH


def row_cycles(units: int, positions: int) -> int:
    """What midge_scalar_row takes on a Cortex-M0+, about."""
    return (91 * padded_depth(positions) // DEPTH + 154) * units // 4 + 9 * positions + 200


def dense_pixel(units: int, positions: int) -> int:
    """What a pixel of a convolution takes on a Cortex-M0+, about; a sixth less on a Cortex-M3."""
    return (3 * padded_depth(positions) + 45) * units + 5 * positions


def can_pack(weights: Array) -> bool:
    """Whether `pack` can pack these weights (channels, positions)."""
    return can_add_pairs(_padded(weights))


def can_add_pairs(weights: Array) -> bool:
    """Whether two neighboring products may be added up before the halves are taken apart."""
    rows = np.abs(np.pad(weights, ((0, 0), (0, weights.shape[1] % 2))))
    return bool((rows[:, 0::2] + rows[:, 1::2]).max(initial=0) <= _MOST_PAIR)


def pack(weights: Array) -> Array:
    """Two positions of two channels are a word; channels are filled up to pairs."""
    rows = _padded(weights).astype(np.int8)
    rows = np.pad(rows, ((0, len(rows) % 2), (0, 0)))
    pairs = rows.reshape(-1, 2, rows.shape[1] // 2, 2).transpose(0, 2, 1, 3)
    words: Array = np.ascontiguousarray(pairs).reshape(-1).view("<i4").astype(np.int32)
    return words


def _padded(weights: Array) -> Array:
    positions = weights.shape[1]
    return np.pad(weights.astype(np.int64), ((0, 0), (0, padded_depth(positions) - positions)))


@dataclass(frozen=True, eq=False)
class Scaling:
    """How sums become outputs: `words` (channels, n) begin with the bias; `split` of midge.kernels.two_products, -1 for
    the definition's two roundings, and whether there is a rule below zero; the clamp of the definition."""

    words: Array
    split: int
    is_signed: bool
    clamp: Mapping[str, int]

    @property
    def params(self) -> dict[str, object]:
        """What kernels/scalar.j2 reads."""
        return {"split": self.split, "is_signed": self.is_signed, "words": self.words.shape[1], "clamp": self.clamp}


def scaling(r: Requantization, bias: Array, least: Array, most: Array) -> Scaling:
    """`bias` has the zero point folded in; least..most are the sums, bias included, by channel."""
    clamp = integer_clamp_literals(r.zero_point, r.low, r.high, sum_fits=False)
    found = two_products(r, least, most)
    if found is not None:
        words = np.concatenate([int32_words(bias - found.starts)[:, None], found.words], axis=1)
        return Scaling(words, found.split, found.zeros is not None, clamp)
    factors = [np.broadcast_to(v, bias.shape).astype(np.int32) for v in (r.multipliers, r.shifts)]
    return Scaling(np.stack([int32_words(bias), *factors], axis=1), -1, False, clamp)


def by_pairs(words: Array) -> Array:
    """The words of channels by pairs of these: two biases, then what is left of each."""
    padded = np.pad(words, ((0, len(words) % 2), (0, 0))).reshape(-1, 2, words.shape[1])
    return np.concatenate([padded[:, :, 0], padded[:, 0, 1:], padded[:, 1, 1:]], axis=1)


def bind_matrix(
    rows: Array, bias: Array, zero_point: int, r: Requantization
) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) of sums with the weights `rows` (channels, positions) over raw inputs: the zero point goes
    into the bias."""
    scaled = scaling_of(rows, bias, zero_point, r)
    constants = (Constant("weights", "int32_t", pack(rows)), Constant("scales", "int32_t", by_pairs(scaled.words)))
    return {**scaled.params, "depth": padded_depth(rows.shape[1])}, constants


def scaling_of(rows: Array, bias: Array, zero_point: int, r: Requantization) -> Scaling:
    """How the sums of (x - zero_point) * w + bias over all int8 x become outputs."""
    ends = np.stack([rows * -128, rows * 127])
    folded = bias.astype(np.int64) - zero_point * rows.sum(axis=1)
    return scaling(r, folded, folded + ends.min(axis=0).sum(axis=1), folded + ends.max(axis=0).sum(axis=1))
