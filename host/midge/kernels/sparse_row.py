"""A row of activations times a matrix with zeros in vectors of four or two channels, on cores with 16-bit SIMD.

What firmware/nn/midge_dsp_row.h reads: the stream of midge.kernels.sparse_channels, with neighbors before strangers.
The index holds for each group two bytes, the number of pairs of strangers in bits 0 to 11 and of turns of neighbors
above, and then a byte for each pair:

    neighbors   twice the distance to the pair before
    strangers   the distance of the first from the position before, that of the second from the first: four bits each

Where a distance is too large, positions without weights come between. Neighbors are whole turns; strangers lack what
there is too few of in the first turn. Nothing fills up words: loads of four bytes begin anywhere.

Vectors of two channels (`lanes`) have lists of their own, two in a group: each pair has one word of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import int32_words
from midge.kernels.paired_channels import GROUP, Sums
from midge.kernels.sparse_channels import Kept, kept_positions, neighbors_of, sparse_stream
from midge.numerics.requantize import Requantization

# Pairs in a turn of the loop of strangers, so many bytes of code each; the first of each word of the index takes 12
# more. Of neighbors with their share of a word.
STRANGERS_TURN = 8
_PAIR_CODE, _WORD_CODE = {4: 52, 2: 36}, 12
_NEIGHBORS_CODE = {4: 41, 2: 25}
# Pairs in a turn of the loop of neighbors.
_TURNS = (16, 8, 4)
_FAR, _NEAR = 127, 15
_TURNS_BIT, _MOST_TURNS = 12, 15
MOST_POSITIONS = 8184
"""So many the count of pairs of strangers has room for."""
# Cycles of templates/kernels/dsp_sparse_row.j2: a pair with its share of a word of the index, which begins anywhere; of
# neighbors half at an odd address; a turn.
_NEIGHBORS_CYCLES, _STRANGERS_CYCLES = {4: 12.3, 2: 8.3}, {4: 15.3, 2: 11.3}
_NEIGHBORS_TURN_CYCLES, _STRANGERS_TURN_CYCLES = 3, 4
_GROUP_CYCLES = {4: 61, 2: 50}


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Places of a group in the order of the stream, (n, 2) with -1 where no weights are, and a byte for each."""

    neighbors: Array
    strangers: Array
    index: Array


@dataclass(frozen=True, eq=False)
class RowPlan:
    """All lists, of `lanes` channels each; pairs of neighbors in a turn."""

    groups: tuple[RowGroup, ...]
    turn: int
    lanes: int = GROUP

    @property
    def cycles(self) -> float:
        """Estimated, for one row."""
        total = 0.0
        for group in self.groups:
            neighbors, strangers = len(group.neighbors), len(group.strangers)
            total += _GROUP_CYCLES[self.lanes]
            total += _NEIGHBORS_CYCLES[self.lanes] * neighbors + _STRANGERS_CYCLES[self.lanes] * strangers
            total += _NEIGHBORS_TURN_CYCLES * (neighbors // self.turn)
            total += _STRANGERS_TURN_CYCLES * -(-strangers // STRANGERS_TURN)
        return total

    @property
    def code_bytes(self) -> int:
        """Of both loops."""
        return _NEIGHBORS_CODE[self.lanes] * self.turn + _PAIR_CODE[self.lanes] * STRANGERS_TURN


def row_plan(sums: Sums, order: Array, lanes: int = GROUP) -> RowPlan:
    """With the turn that takes the fewest cycles, or without neighbors; `order` as in paired_channels.stream."""
    return _planned(kept_positions(sums.weights, order, lanes), lanes)


@lru_cache(maxsize=64)
def _planned(flags: Kept, lanes: int) -> RowPlan:
    kept = flags.positions
    plans = [RowPlan(tuple(_group(places, turn) for places in kept), turn, lanes) for turn in _TURNS]
    plans.append(RowPlan(tuple(_group(places, 0) for places in kept), min(_TURNS), lanes))
    return min(plans, key=lambda p: p.cycles)


def _group(kept: Array, turn: int) -> RowGroup:
    firsts = _stepped_over(kept, neighbors_of(kept)) if turn else []
    while turn and (more := _too_many(len(_spread(firsts, _FAR)), turn)):
        firsts = firsts[:-more]
    spread = _spread(firsts, _FAR)
    slots = _spread(_strangers(kept, firsts), _NEAR) or [(0, False)]
    slots += [(slots[-1][0], False)] * (len(slots) % 2)
    neighbors = [(first, first + 1) if is_real else (-1, -1) for first, is_real in spread]
    strangers = [place if is_real else -1 for place, is_real in slots]
    steps = [2 * step for step in _steps(spread)]
    return RowGroup(
        np.array(neighbors, np.int64).reshape(-1, 2),
        np.array(strangers, np.int64).reshape(-1, 2),
        np.concatenate([np.array(steps, np.int64), _strangers_bytes(_steps(slots))]),
    )


def _too_many(neighbors: int, turn: int) -> int:
    """Pairs beyond whole turns, and those that the count has no room for."""
    return neighbors - min(neighbors // turn, _MOST_TURNS) * turn


def _strangers(kept: Array, firsts: list[int]) -> list[int]:
    places = np.array(firsts, np.int64)
    alone: list[int] = np.setdiff1d(kept, np.concatenate([places, places + 1])).tolist()
    return alone


def _stepped_over(kept: Array, firsts: list[int]) -> list[int]:
    """Without the neighbors that strangers need to step on, where these lie too far apart."""
    rest = list(firsts)
    last = 0
    alone = _strangers(kept, firsts)
    while alone:
        if alone[0] - last <= _NEAR:
            last = alone.pop(0)
            continue
        near = [first for first in rest if last < first <= last + _NEAR]
        last += _NEAR
        if near:
            rest.remove(near[-1])
            last = near[-1] + 1
    return rest


def _spread(places: list[int], most: int) -> list[tuple[int, bool]]:
    """Rising places no further than `most` apart, from 0 on; the added ones are marked as not real."""
    found: list[tuple[int, bool]] = []
    start = 0
    for place in places:
        while place - start > most:
            start += most
            found.append((start, False))
        found.append((place, True))
        start = place
    return found


def _steps(slots: list[tuple[int, bool]]) -> list[int]:
    places = [0, *(place for place, _ in slots)]
    return [after - before for before, after in pairwise(places)]


def _strangers_bytes(steps: list[int]) -> Array:
    pairs = np.array(steps, np.int64).reshape(-1, 2)
    found: Array = pairs[:, 0] | pairs[:, 1] << 4
    return found


def _entries(lanes: int) -> list[int]:
    """For each number of pairs that the first turn leaves out, how far behind the table of these numbers its code
    begins, in halfwords: behind the load of a word of the index, which is done already."""
    code = (slot * _PAIR_CODE[lanes] + (1 + slot // 4) * _WORD_CODE for slot in range(STRANGERS_TURN))
    return [(STRANGERS_TURN + bytes_of_code) // 2 for bytes_of_code in code]


@dataclass(frozen=True, eq=False)
class RowStream:
    """The words, int32, with the index behind them; `all_words` without it, `whole_words` those of whole groups, and
    `whole_index` the bytes of their index. `params` is what kernels/dsp_sparse_row.j2 reads."""

    words: Array
    all_words: int
    whole_words: int
    whole_index: int
    params: dict[str, object]


def row_stream(found: RowPlan, sums: Sums, r: Requantization, order: Array) -> RowStream:
    """Pack `sums` as `found` says."""
    groups, whole = found.groups, len(sums.bias) // GROUP
    pairs = [np.concatenate([g.neighbors, g.strangers]) for g in groups]
    packed = sparse_stream(pairs, sums, r, order, found.lanes)
    index = [_index_bytes(group, found.turn) for group in groups]
    return RowStream(
        np.concatenate([packed.words, _index_words(np.concatenate(index))]),
        len(packed.words),
        sum(packed.sizes[:whole]),
        sum(map(len, index[: whole * GROUP // found.lanes])),
        {
            **{"lanes": found.lanes, "turn": found.turn, "strangers_turn": STRANGERS_TURN},
            **{"entries": _entries(found.lanes), **packed.params},
        },
    )


def _index_bytes(group: RowGroup, turn: int) -> Array:
    """The counts, and a byte for each pair."""
    counts = len(group.strangers) | len(group.neighbors) // turn << _TURNS_BIT
    return np.concatenate([[counts & 255, counts >> 8], group.index])


def _index_words(index: Array) -> Array:
    """Bytes, four to a word, int32."""
    whole = np.pad(index, (0, -len(index) % 4))
    return int32_words((whole.reshape(-1, 4) << np.arange(0, 32, 8)).sum(axis=1))
