"""Every pixel times one matrix with zeros in vectors of four channels, on cores with 16-bit SIMD."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.dsp_pointwise import Pixels, widened_order
from midge.kernels.paired_channels import GROUP, Sums
from midge.kernels.sparse_channels import Group, Kept, grouped, kept_positions, sparse_stream, steps
from midge.kernels.variant import Binding, Constant
from midge.numerics.requantize import Requantization

# Pairs done per turn of a loop, 64 and 76 bytes of code each.
_MOST_UNROLL = 12
NEIGHBORS_CODE, STRANGERS_CODE = 64, 76
# Cycles of templates/kernels/dsp_sparse.j2: a pair, half of the neighbors at an odd address; a jump.
_NEIGHBORS_CYCLES, _STRANGERS_CYCLES, _JUMP_CYCLES = 17.5, 20, 5


@dataclass(frozen=True)
class Turns:
    """Pairs done per turn, 0 of neighbors where each pair is one of strangers; `once`: a turn of strangers suffices."""

    neighbors: int
    strangers: int
    once: bool

    def jumps(self, group: Group) -> int:
        """How often the code of a group asks its list where to go on."""
        turns = -(-len(group.neighbors) // self.neighbors) if self.neighbors else 0
        return 1 + turns + (0 if self.once else -(-(len(group.strangers) - 1) // self.strangers))

    def cycles(self, group: Group) -> float:
        """What the pairs of a group take for two pixels."""
        pairs = _NEIGHBORS_CYCLES * len(group.neighbors) + _STRANGERS_CYCLES * len(group.strangers)
        return pairs + _JUMP_CYCLES * self.jumps(group)

    @property
    def code_bytes(self) -> int:
        """Code of all pairs."""
        return NEIGHBORS_CODE * self.neighbors + STRANGERS_CODE * (1 + self.strangers)


@dataclass(frozen=True, eq=False)
class Plan:
    """How a matrix is done: its groups, and the turns of the loops."""

    groups: tuple[Group, ...]
    turns: Turns

    @property
    def cycles(self) -> float:
        """What the pairs of all groups take for two pixels."""
        return sum(self.turns.cycles(group) for group in self.groups)

    @property
    def list_halves(self) -> int:
        """Length of the lists, whole words: jumps, a distance for neighbors and two for strangers, and two ends."""
        halves = sum(self.turns.jumps(g) + len(g.neighbors) + 2 * len(g.strangers) for g in self.groups) + 6
        return halves + halves % 2

    @property
    def runs(self) -> list[Array]:
        """What the index holds: for each group where neighbors begin, where any are, and which strangers there are."""
        found: list[Array] = []
        for group in self.groups:
            found += [group.neighbors[:, 0]] if self.turns.neighbors else []
            found.append(group.strangers[group.strangers >= 0])
        return found


def plan(sums: Sums) -> Plan:
    """With or without neighbors, of which a few do not pay for their jump: what takes fewer cycles."""
    return _planned(kept_positions(sums.weights, _order(sums.weights.shape[1])))


@lru_cache(maxsize=64)
def _planned(kept: Kept) -> Plan:
    plans = []
    for least in (len(kept.flags), 3):
        groups = tuple(grouped(places, least) for places in kept.positions)
        neighbors = _turn(max(len(g.neighbors) for g in groups))
        most = max(len(g.strangers) for g in groups) - 1
        plans.append(Plan(groups, Turns(neighbors, _turn(most), most <= _MOST_UNROLL)))
    return min(plans, key=lambda p: p.cycles)


def _order(depth: int) -> Array:
    """Which position each place of two zipped pixels holds."""
    return widened_order(depth, -(-depth // 2))[:depth]


def _turn(most: int) -> int:
    """Pairs per turn: equal turns for the longest of all."""
    return -(-most // -(-most // _MOST_UNROLL)) if most else 0


def scratch_bytes(sums: Sums) -> int:
    """The list, and two pixels side by side."""
    return 2 * (plan(sums).list_halves + sums.weights.shape[1])


def _filled(index: Array) -> Array:
    """The loop reads the beginning of one group more than there is: starting values and a pair."""
    return np.pad(index, (0, max(0, GROUP + 2 - len(index))))


def bind_sparse_pixels(pixels: Pixels, sums: Sums, r: Requantization) -> Binding:
    """Literals for the template, the stream, the index and the sizes."""
    channels, depth = sums.weights.shape
    found, order = plan(sums), _order(depth)
    packed = sparse_stream([g.pairs for g in found.groups], sums, r, order)
    whole = channels // GROUP
    sizes = [
        *(pixels.rows, pixels.pixels, pixels.pixel_bytes, pixels.row_bytes, depth),
        *(GROUP * whole, channels % GROUP, sum(packed.sizes[:whole]), found.list_halves, len(packed.words)),
    ]
    turns = found.turns
    return Binding(
        {"neighbors": turns.neighbors, "strangers": turns.strangers, "once": turns.once, **packed.params},
        (
            Constant("stream", "int32_t", np.concatenate([packed.words, _filled(steps(found.runs))])),
            Constant("sizes", "int32_t", np.array(sizes, np.int32)),
        ),
    )
