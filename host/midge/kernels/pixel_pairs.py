"""Weights for the kernels of firmware/nn/midge_scalar.h: two channels meet two pixels, one multiplication each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array
from midge.kernels.two_products import two_products
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"scalar"})
DEPTH = 8
"""Positions done per turn of the inner loop."""

_MOST_PAIR = 255


@dataclass(frozen=True, eq=False)
class Packed:
    """int32 words: `weights` by pairs of channels, in the order of the loop."""

    weights: Array
    words_per_pair: int


def padded_depth(positions: int) -> int:
    """Positions filled up to whole turns."""
    return -(-positions // DEPTH) * DEPTH


def can_pack(weights: Array) -> bool:
    """Whether two products may be added up before the halves are taken apart: weights (channels, positions)."""
    rows = np.abs(_padded(weights))
    return bool((rows[:, 0::2] + rows[:, 1::2]).max(initial=0) <= _MOST_PAIR)


def pack(weights: Array) -> Packed:
    """Four bytes of a channel are a word, the words of both channels alternate; channels are filled up to pairs."""
    rows = _padded(weights).astype(np.int8)
    rows = np.pad(rows, ((0, len(rows) % 2), (0, 0)))
    words = np.ascontiguousarray(rows).view("<i4")
    pairs = words.reshape(-1, 2, words.shape[1]).transpose(0, 2, 1)
    return Packed(pairs.reshape(-1).astype(np.int32), 2 * words.shape[1])


def _padded(weights: Array) -> Array:
    positions = weights.shape[1]
    return np.pad(weights.astype(np.int64), ((0, 0), (0, padded_depth(positions) - positions)))


@dataclass(frozen=True, eq=False)
class Scaling:
    """How sums become outputs: `words` (channels, n) begin with the bias; `split` of midge.kernels.two_products, None
    for the definition's two roundings, and whether there is a rule below zero."""

    words: Array
    split: int | None
    is_signed: bool

    @property
    def params(self) -> dict[str, object]:
        """What kernels/scalar.j2 reads, besides the clamp."""
        return {"split": self.split, "is_signed": self.is_signed, "words": self.words.shape[1]}


def scaling(r: Requantization, bias: Array, least: Array, most: Array) -> Scaling:
    """`bias` has the zero point folded in; least..most are the sums, bias included, by channel."""
    found = two_products(r, least, most)
    if found is not None:
        words = np.concatenate([_int32(bias - found.starts)[:, None], found.words], axis=1)
        return Scaling(words, found.split, found.zeros is not None)
    factors = [np.broadcast_to(v, bias.shape).astype(np.int32) for v in (r.multipliers, r.shifts)]
    return Scaling(np.stack([_int32(bias), *factors], axis=1), None, False)


def _int32(values: Array) -> Array:
    """The low 32 bits of each."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
