"""Weights for the kernels of firmware/nn/midge_mac16.h: runs of activations meet the weights of one channel at a time.

Activations become x + 128, as pairs of int16: of each four bytes first 0 and 2, then 1 and 3. Weights are int16 in the
same order, for MAC16 multiplies no others: they take twice the flash of int8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.two_products import TwoProducts, two_products
from midge.kernels.variant import Constant
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"mac16"})
APART = 1008
"""Bytes from the first activations to every fourth pair, as firmware/nn/midge_mac16_dense.h has it."""

OFFSET = 128
"""What is added to an int8 activation."""

_TURN, _HALF = 16, 8
# Of a turn's eight pairs six lie at its place, two of them APART bytes behind.
_TURN_BYTES, _TURN_BEHIND = 24, 8
MOST_POSITIONS = APART // _TURN_BYTES * _TURN


@dataclass(frozen=True, eq=False)
class Scaling:
    """`words` (channels, 5 or 7): bias, then what midge.kernels.two_products has `found`; or else (channels, 3): bias,
    multiplier and shift of the definition."""

    words: Array
    found: TwoProducts | None

    @property
    def is_signed(self) -> bool:
        """Whether there is a rule below zero."""
        return self.found is not None and self.found.zeros is not None

    @property
    def split(self) -> int:
        """How far the lower product is shifted right."""
        return 0 if self.found is None else self.found.split


def scaling_of(rows: Array, bias: Array, zero_point: int, r: Requantization) -> Scaling | None:
    """How sums of (x - zero_point) * w + bias become outputs, from those of (x + 128) * w; None where none is exact."""
    ends = np.stack([rows * -128, rows * 127])
    folded = bias.astype(np.int64) - zero_point * rows.sum(axis=1)
    found = two_products(r, folded + ends.min(axis=0).sum(axis=1), folded + ends.max(axis=0).sum(axis=1))
    if found is None:
        return None
    starts = folded - OFFSET * rows.sum(axis=1) - found.starts
    return Scaling(np.concatenate([int32_words(starts)[:, None], found.words], axis=1).view(np.uint32), found)


def definition(rows: Array, bias: Array, zero_point: int, r: Requantization) -> Scaling:
    """The same by the definition's two roundings, which the kernels of one channel at a time do not have."""
    starts = bias.astype(np.int64) - (zero_point + OFFSET) * rows.sum(axis=1)
    factors = (np.broadcast_to(v, starts.shape).astype(np.int64) for v in (r.multipliers, r.shifts))
    return Scaling(int32_words(np.stack([starts, *factors], axis=1)).view(np.uint32), None)


def padded(positions: int) -> int:
    """Positions filled up to half turns."""
    return -(-positions // _HALF) * _HALF


def run_bytes(positions: int) -> int:
    """The memory of so many activations."""
    turns = -(-positions // _TURN)
    return APART + _TURN_BYTES * (turns - 1) + _TURN_BEHIND


def bind_matrix(rows: Array, scaled: Scaling) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) of sums with the weights `rows` (channels, positions): those of more than MOST_POSITIONS come
    in parts of that many, each for all channels."""
    depth = padded(rows.shape[1])
    params: dict[str, object] = {
        "channels": len(rows),
        "turns": (depth - 1) // _TURN,
        "is_half": int(depth % _TURN > 0),
        "split": scaled.split,
        "record": scaled.words.shape[1],
        "is_signed": int(scaled.is_signed),
        "quads": -(-rows.shape[1] // 4),
    }
    parts = [rows[:, at : at + MOST_POSITIONS] for at in range(0, rows.shape[1], MOST_POSITIONS)]
    stream = np.concatenate([_stream(part, padded(part.shape[1])) for part in parts])
    return params, (Constant("weights", "uint32_t", stream), Constant("scales", "uint32_t", scaled.words.reshape(-1)))


def _stream(rows: Array, depth: int) -> Array:
    """Pairs of weights, channel by channel, and two words that are read but not used."""
    whole = np.pad(rows, ((0, 0), (0, depth - rows.shape[1]))).reshape(-1, 4)[:, [0, 2, 1, 3]]
    words = np.ascontiguousarray(whole.astype("<i2")).reshape(-1).view("<u4")
    stream: Array = np.concatenate([words, np.zeros(2, np.uint32)]).astype(np.uint32)
    return stream
