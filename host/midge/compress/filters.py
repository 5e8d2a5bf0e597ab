"""Whole channels go, and with them filters, columns, and whatever else they are tied to: the network shrinks.

What is to go is a part of the multiply-accumulates. Channels that are in the same tensors go in chunks that leave a
number of them that kernels like; each time the chunk goes whose importance is the least for the cycles that the kernels
of the settings' board save without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midge.compress.channels import STAYS, Channels, find_channels, kept_parts
from midge.compress.filter_costs import Cost, Costs
from midge.compress.steps import Prune
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.settings import Settings

# What pays is found among chunks that leave multiples of these.
_MULTIPLES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, eq=False)
class Space:
    """Groups that are in the same tensors, the least important first; scores of layers are `comparable` or not."""

    groups: Array
    importance: Array
    comparable: bool

    def chunk(self, gone: int, lanes: int) -> int:
        """How many groups are gone when the next chunk is too, `gone` of them being gone: so many that a multiple of
        `lanes` is left; the same when none may go."""
        left = len(self.groups) - gone
        after = (left - 1) // lanes * lanes
        return len(self.groups) - after if after > 0 else gone

    def value(self, gone: int, then: int) -> float:
        """The importance of what goes between `gone` and `then`, as a share of all that is left where scores of layers
        cannot be compared."""
        part = float(self.importance[gone:then].sum())
        left = float(self.importance[gone:].sum())
        return part if self.comparable else part / left if left > 0 else 0.0


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Groups of one space that go next, what they are worth and what goes with them."""

    space: int
    groups: Array
    value: float
    saved: Cost

    @property
    def price(self) -> float:
        """What is lost for each cycle that is saved."""
        return self.value / self.saved.cycles if self.saved.cycles > 0 else np.inf


@dataclass(frozen=True, eq=False)
class Choice:
    """Which weights stay (bool by the names of constants), the groups of channels, and which of those go (bool)."""

    kept: Mapping[str, Array]
    channels: Channels
    gone: Array


def choose_filters(
    graph: Graph, scores: Mapping[str, Array], step: Prune, comparable: bool, settings: Settings
) -> Choice:
    """What goes so that `step.sparsity` of the MACs do, by the scores of all weights and what kernels take on the
    settings' board.

    Zeros for what goes change the network as its removal does. Raises SettingsError for a sparsity that cannot be
    reached.
    """
    channels = find_channels(graph)
    costs = Costs(graph, channels, step.layers, settings)
    gone = _chosen(graph, channels, scores, step, comparable, costs)
    kept: dict[str, Array] = {}
    for op in graph.ops:
        for index in (i for i in op.weight_axis if i < len(op.inputs)):
            tensor = graph.tensors[op.inputs[index]]
            if tensor.is_constant:
                mask = kept_parts(channels, gone, op, index, tensor)
                kept[tensor.name] = kept[tensor.name] | mask if tensor.name in kept else mask
    return Choice(kept, channels, gone)


def _chosen(
    graph: Graph, channels: Channels, scores: Mapping[str, Array], step: Prune, comparable: bool, costs: Costs
) -> Array:
    """Which groups go: the least important for their cycles, chunk by chunk; then what need not have comes back."""
    gone = np.zeros(channels.groups + 1, bool)
    importance = group_importance(graph, channels, scores, comparable)
    spaces = find_spaces(graph, channels, importance, comparable, step.layers)
    total = costs.all(gone).macs
    goal, left = (1 - step.sparsity) * total, total
    taken = [0] * len(spaces)
    order: list[_Chunk] = []
    while left > goal:
        chunks = _chunks(costs, spaces, taken, gone)
        if not chunks:
            raise SettingsError(
                f"sparsity {step.sparsity:g} cannot be reached by filters: {1 - left / total:.3f} of the MACs is the "
                "most that leaves every layer something",
                hint="a lower sparsity, or another granularity, e.g. 1x4",
            )
        chunk = min(chunks, key=lambda c: c.price)
        if left - chunk.saved.macs <= goal:
            chunk = min((c for c in chunks if left - c.saved.macs <= goal), key=lambda c: c.value)
        gone[chunk.groups] = True
        taken[chunk.space] += len(chunk.groups)
        left -= chunk.saved.macs
        order.append(chunk)
    frozen: set[int] = set()
    for chunk in reversed(order):
        fewer = gone.copy()
        fewer[chunk.groups] = False
        if chunk.space not in frozen and costs.all(fewer).macs <= goal:
            gone = fewer
        else:
            frozen.add(chunk.space)
    return gone


def _chunks(costs: Costs, spaces: Sequence[Space], taken: Sequence[int], gone: Array) -> list[_Chunk]:
    """What could go next: of each space the chunk that pays best."""
    best = []
    for index, space in enumerate(spaces):
        found = []
        for then in sorted({space.chunk(taken[index], multiple) for multiple in _MULTIPLES} - {taken[index]}):
            groups = space.groups[taken[index] : then]
            saved = costs.saved(gone, groups)
            if saved.macs > 0:
                found.append(_Chunk(index, groups, space.value(taken[index], then), saved))
        best += sorted(found, key=lambda c: c.price)[:1]
    return best


def group_importance(graph: Graph, channels: Channels, scores: Mapping[str, Array], comparable: bool) -> Array:
    """By group: the scores of all weights that go with it, those of each layer as shares where need be."""
    found = np.zeros(channels.groups + 1)
    for (layer, index), along in channels.constants.items():
        op = next(o for o in graph.ops if o.name == layer)
        if op.inputs[index] not in scores or index not in op.weight_axis:
            continue
        own = scores[op.inputs[index]]
        own = own if comparable or own.sum() == 0 else own / own.sum()
        for axis, ids in along.items():
            np.add.at(found, ids, own.sum(axis=tuple(i for i in range(own.ndim) if i != axis)))
    return found


def find_spaces(
    graph: Graph, channels: Channels, importance: Array, comparable: bool, layers: Sequence[str] = ()
) -> Sequence[Space]:
    """Groups by the tensors that they are in; with named layers only those whose filters a named one has."""
    where: dict[int, list[tuple[str, int]]] = {}
    for name, ids in channels.activations.items():
        for group, count in zip(*np.unique(ids, return_counts=True), strict=True):
            where.setdefault(int(group), []).append((name, int(count)))
    made = {g for op in graph.ops if op.name in layers for g in channels.activations[op.outputs[0]].tolist()}
    alike: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for group, places in where.items():
        if group != STAYS and (not layers or group in made):
            alike.setdefault(tuple(sorted(places)), []).append(group)
    spaces = []
    for groups in alike.values():
        order = np.array(groups)[np.argsort(importance[groups], kind="stable")]
        spaces.append(Space(order, importance[order], comparable))
    return spaces
