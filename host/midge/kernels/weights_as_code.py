"""A matrix as straight-line code: which sum each activation joins, and with which factor.

Zeros are not there. An activation is loaded once for a group of sums; a product that several sums of the group need is
made once; where a channel has a weight often, the activations that meet it are added up in a sum of their own, which
is multiplied once. How many such sums a channel may have is for the caller to try: they leave room for fewer channels,
and each group loads its activations anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.variant import Layer
from midge.numerics.requantize import Requantization
from midge.ops.conv2d import Conv2D

TRIED = (0, 1, 2, 3, 7)
"""Sums of one weight that a channel may have: what is worth a try."""

MOST_CODE_BYTES = 65536
"""A layer's code, at most: functions that compilers and people can still bear."""

# What the dense kernel's own code takes, about. Each layer is granted it, though layers share it: where bytes matter,
# in `balanced` and `size`, midge.kernels.select compares what is in flash without it.
_DENSE_CODE_BYTES = 1024
_MOST_LOSS = 1.25


@dataclass(frozen=True)
class Matrix:
    """Rows of activations times a matrix: all that decides its code, as bytes, so that it can be remembered."""

    weights: bytes
    shape: tuple[int, int]
    biases: bytes
    zero_point: int
    multipliers: bytes
    shifts: bytes
    ends: tuple[int, int, int]
    pixels: int = 1

    @property
    def rows(self) -> Array:
        """The weights, int64 (channels, positions)."""
        rows: Array = np.frombuffer(self.weights, np.int8).reshape(self.shape).astype(np.int64)
        return rows

    @property
    def nonzeros(self) -> int:
        """Weights that are not zero."""
        return int(np.count_nonzero(np.frombuffer(self.weights, np.int8)))

    @property
    def bias(self) -> Array:
        """The bias, int64 by channel."""
        return np.frombuffer(self.biases, np.int64)

    @property
    def requantization(self) -> Requantization:
        """How sums become outputs."""
        multipliers, shifts = (np.frombuffer(values, np.int32) for values in (self.multipliers, self.shifts))
        return Requantization(multipliers, shifts, *self.ends)


def matrix_of(layer: Layer) -> Matrix | None:
    """The matrix of a fully connected layer, int8 with constant weights; None for another, and for several rows."""
    if not (is_int8(layer) and has_constant_weights(layer)) or layer.inputs[0].elements != layer.inputs[1].shape[1]:
        return None
    r = requantization_of(layer)
    return _matrix(layer, constant_data(layer.inputs[1]), r)


def pixel_matrix_of(layer: Layer) -> Matrix | None:
    """The matrix of a 1x1 convolution over every pixel, int8 with constant weights; None for another."""
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    is_plain = weights.shape[1:3] == op.stride == (1, 1) and op.padding == ((0, 0), (0, 0))
    if not (is_plain and is_int8(layer) and has_constant_weights(layer)) or x.shape[3] != weights.shape[3]:
        return None
    rows = constant_data(weights).reshape(weights.shape[0], -1)
    return _matrix(layer, rows, requantization_of(layer))


def _matrix(layer: Layer, rows: Array, r: Requantization) -> Matrix:
    x = layer.inputs[0]
    bias = bias_values(layer, len(rows)).astype(np.int64)
    factors = (r.multipliers.astype(np.int32).tobytes(), r.shifts.astype(np.int32).tobytes())
    ends, shape = (r.zero_point, r.low, r.high), (rows.shape[0], rows.shape[1])
    return Matrix(rows.tobytes(), shape, bias.tobytes(), x.q.zero_point, *factors, ends, x.elements // rows.shape[1])


@dataclass(frozen=True)
class Sum:
    """A sum of `channel`: of products, or of the activations that meet one `weight` size, to be multiplied by it."""

    channel: int
    weight: int | None = None


@dataclass(frozen=True)
class Use:
    """What becomes of an activation: times `factor` it is added to (1) or taken from (-1) sums of the group."""

    factor: int
    targets: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Group:
    """The sums that are made together, by channel, a channel's products first; for each position that has weights its
    uses, in the order of their factors."""

    sums: tuple[Sum, ...]
    taps: tuple[tuple[int, tuple[Use, ...]], ...]

    @property
    def channels(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Each channel with the indices of its sums."""
        found: dict[int, list[int]] = {}
        for index, item in enumerate(self.sums):
            found.setdefault(item.channel, []).append(index)
        return tuple((channel, tuple(indices)) for channel, indices in found.items())


def grouped(rows: Array, most_sums: int, shared: int) -> tuple[Group, ...]:
    """The matrix `rows` (channels, positions) in groups of at most `most_sums` sums, of which each channel has up to
    `shared` for single weights, its most frequent ones."""
    channels = [_sums(channel, row, min(shared, most_sums - 1)) for channel, row in enumerate(rows)]
    return tuple(_group(rows, sums) for sums in _packed(channels, most_sums))


def is_worth(cycles: int, code_bytes: int, dense_cycles: int, dense_bytes: int) -> bool:
    """Whether code gains about as much in cycles as it loses in bytes, or more, beside a kernel that takes so many of
    both."""
    gains = cycles * code_bytes < _MOST_LOSS * dense_cycles * (dense_bytes + _DENSE_CODE_BYTES)
    return gains and cycles < dense_cycles and code_bytes <= MOST_CODE_BYTES


def is_power(weight: int) -> bool:
    """Whether a shift multiplies by it."""
    return weight & (weight - 1) == 0


def _sums(channel: int, row: Array, shared: int) -> tuple[Sum, ...]:
    sizes = Counter(abs(int(w)) for w in row[row != 0])
    # An addition less for each use and one product more, where a shift does not do for a product.
    saved = {size: count * (1 if is_power(size) else 2) - 3 for size, count in sizes.items() if size != 1}
    often = sorted((size for size in saved if saved[size] > 0), key=lambda size: (-saved[size], size))[:shared]
    own = [] if often and len(often) == len(sizes) else [Sum(channel)]
    return (*own, *(Sum(channel, size) for size in often))


def _packed(channels: Sequence[tuple[Sum, ...]], most: int) -> Iterator[tuple[Sum, ...]]:
    group: tuple[Sum, ...] = ()
    for sums in channels:
        if len(group) + len(sums) > most:
            yield group
            group = ()
        group += sums
    yield group


def _group(rows: Array, sums: tuple[Sum, ...]) -> Group:
    places = {(item.channel, item.weight): index for index, item in enumerate(sums)}
    members = sorted({item.channel for item in sums})
    taps = []
    for position in np.flatnonzero(rows[members].any(axis=0)):
        uses: dict[int, list[tuple[int, int]]] = {}
        for channel in members:
            weight = int(rows[channel, position])
            if weight:
                own = places.get((channel, None), -1)
                at = places.get((channel, abs(weight)), own)
                uses.setdefault(1 if at != own else abs(weight), []).append((at, 1 if weight > 0 else -1))
        made = tuple(Use(factor, tuple(targets)) for factor, targets in sorted(uses.items()))
        taps.append((int(position), made))
    return Group(sums, tuple(taps))


Term = tuple[int, tuple[int, ...], tuple[int, ...]]


def terms(rows: Array) -> tuple[tuple[Term, ...], ...]:
    """For each channel its weights by size: (size, positions where it is added, positions where it is taken away)."""
    wide = rows.astype(np.int64)
    return tuple(tuple(_term(row, int(size)) for size in np.unique(np.abs(row[row != 0]))) for row in wide)


def _term(row: Array, size: int) -> Term:
    plus, minus = (tuple(int(i) for i in np.flatnonzero(row == w)) for w in (size, -size))
    return size, plus, minus
