"""Weights that are zero in vectors of four channels, for the kernels of firmware/nn/midge_dsp_sparse.h.

Of a group of four channels the positions are kept that some channel has a weight for, in the order of the kernel's
buffer. Two neighbors are a pair; the others, strangers, pair up as they come, the last one with nothing. A pair's
weights are the two words of midge.kernels.paired_channels. The stream holds for each group

    4 starting values, 2 words for each pair: of strangers, of neighbors, of other strangers, and what requantizes

and which positions are kept is told apart from it: the kernels count on from position to position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import constant_data, int32_words
from midge.kernels.paired_channels import GROUP, Sums, in_order, paired_words, requantize
from midge.kernels.variant import Layer
from midge.numerics.requantize import Requantization

# A step of four bits goes on by 1 to 14 positions, but for these: no more; and on by 14, where nothing is kept.
_END, _SKIP = 14, 15


# Fewer zeros than this share of the vectors never pay.
_LEAST_ZEROS = 1 / 8


def has_zeros(layer: Layer, lanes: int = GROUP) -> bool:
    """Whether enough vectors of `lanes` output channels, axis 0 of input 1, are zero for it to matter."""
    weights = constant_data(layer.inputs[1])
    rows = weights.reshape(len(weights), -1) != 0
    kept = np.pad(rows, ((0, -len(rows) % lanes), (0, 0))).reshape(-1, lanes, rows.shape[1]).any(axis=1)
    return bool(kept.mean() <= 1 - _LEAST_ZEROS)


@dataclass(frozen=True, eq=False)
class Group:
    """The kept positions of four channels, in the buffer's order: pairs of neighbors (n, 2), and strangers (n, 2), -1
    where there is none. An empty group keeps position 0, with weights of zero."""

    neighbors: Array
    strangers: Array

    @property
    def pairs(self) -> Array:
        """All pairs in the order of the stream."""
        return np.concatenate([self.strangers[:1], self.neighbors, self.strangers[1:]])


@dataclass(frozen=True)
class Kept:
    """By group of channels and place of the buffer whether any weight is not zero; a key for what is planned."""

    groups: int
    flags: bytes

    @property
    def positions(self) -> list[Array]:
        """By group the places."""
        rows = np.frombuffer(self.flags, np.bool_).reshape(self.groups, -1)
        return [np.flatnonzero(row) for row in rows]


def kept_positions(weights: Array, order: Array, lanes: int = GROUP) -> Kept:
    """Where a buffer, whose places hold positions as `order` says, meets weights (channels, positions) of groups of
    `lanes` channels, filled up to whole fours."""
    rows = np.pad(weights, ((0, -len(weights) % GROUP), (0, 0)))
    kept = (in_order(rows, order) != 0).reshape(-1, lanes, len(order)).any(axis=1)
    return Kept(len(kept), kept.tobytes())


def grouped(kept: Array, least: int) -> Group:
    """Pairs: of neighbors where there are at `least` that many, and one or more of strangers."""
    firsts = neighbors_of(kept)
    firsts = firsts if len(firsts) >= least else []
    if firsts and 2 * len(firsts) == len(kept):
        firsts = firsts[1:]
    neighbors = np.array(firsts, np.int64)[:, None] + np.arange(2)
    alone = np.setdiff1d(kept, neighbors) if len(kept) else np.zeros(1, np.int64)
    strangers = np.append(alone, [-1] * (len(alone) % 2)).astype(np.int64).reshape(-1, 2)
    return Group(neighbors, strangers)


def neighbors_of(kept: Array) -> list[int]:
    """The first of each pair of neighbors: as many as there can be, at even places where there is a choice."""
    firsts: list[int] = []
    for run in np.split(kept, np.flatnonzero(np.diff(kept) != 1) + 1):
        skipped = len(run) % 2 * (int(run[0]) % 2 if len(run) else 0)
        firsts += run[skipped : len(run) - 1 : 2].tolist()
    return firsts


@dataclass(frozen=True, eq=False)
class SparseStream:
    """The words, int32, how many each group takes, and how sums are requantized (as in paired_channels.Stream)."""

    words: Array
    sizes: tuple[int, ...]
    shift: int
    low: int
    high: int

    @property
    def params(self) -> dict[str, object]:
        """What kernels/dsp_sparse.j2 reads."""
        return {"shift": self.shift, "low": self.low, "high": self.high, "lifts": [0, 8, 0, 8]}


def sparse_stream(
    pairs: Sequence[Array], sums: Sums, r: Requantization, order: Array, lanes: int = GROUP
) -> SparseStream:
    """Pack `sums`, whose positions lie in the kernel's buffer as `order` says: `pairs` (n, 2) of places by group of
    `lanes` channels, 4 or 2. Of the latter each has one word of weights for a pair, two such groups are one of four.
    """
    asked = requantize(sums, r, (0, 8, 0, 8))
    starts = asked.starts.copy()
    starts[:, 1::2] += starts[:, 0::2]
    rows = asked.sums.weights.reshape(-1, GROUP, asked.sums.weights.shape[1])
    halves = GROUP // lanes
    lines = [
        np.concatenate([start, *_weights(row, pairs[i * halves : (i + 1) * halves], order), tail])
        for i, (start, row, tail) in enumerate(zip(starts, rows, asked.tail, strict=True))
    ]
    sizes = tuple(len(line) for line in lines)
    return SparseStream(int32_words(np.concatenate(lines)), sizes, asked.shift, r.low, r.high)


def _weights(rows: Array, pairs: Sequence[Array], order: Array) -> list[Array]:
    """The words of four channels at places of the buffer, -1 for nothing: all, or for each two channels theirs."""
    found = []
    for half, places in enumerate(pairs):
        flat = places.reshape(-1)
        words = paired_words(rows, np.where(flat >= 0, order[flat], -1))[0]
        found.append(words if len(pairs) == 1 else words[half::2])
    return found


def steps(runs: Sequence[Array]) -> Array:
    """Rising positions, run by run, as steps of four bits, the first one lowest in a word, int32.

    A run begins before position 0.
    """
    nibbles: list[int] = []
    for run in runs:
        at = -1
        for position in run.tolist():
            skips, rest = divmod(position - at - 1, 14)
            nibbles += [_SKIP] * skips + [rest]
            at = position
        nibbles.append(_END)
    rows = np.array([*nibbles, *[0] * (-len(nibbles) % 8)], np.int64).reshape(-1, 8)
    return int32_words((rows << np.arange(0, 32, 4)).sum(axis=1))
