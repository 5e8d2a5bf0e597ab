"""The weights of a matrix that are not zero, as pairs of bytes: how many positions further on, and the weight."""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array

_FARTHEST = 255
# How a row is filled up: with weights that are zero after all.
_NOTHING = (0, 0)


def nonzero_pairs(row: Array, multiple: int) -> tuple[tuple[int, int], ...]:
    """(distance, weight) of a channel's weights, distances from position 0 on and of at most 255, a multiple of
    `multiple` of them; at least as many."""
    pairs, at = [], 0
    for position in np.flatnonzero(row):
        while position - at > _FARTHEST:
            pairs.append((_FARTHEST, 0))
            at += _FARTHEST
        pairs.append((int(position) - at, int(row[position])))
        at = int(position)
    missing = -len(pairs) % multiple if pairs else multiple
    return (*pairs, *(_NOTHING for _ in range(missing)))


def pair_bytes(pairs: tuple[tuple[int, int], ...]) -> Array:
    """Distance and weight in turn."""
    flat: Array = (np.array(pairs, np.int64).reshape(-1) & 255).astype(np.uint8)
    return flat
