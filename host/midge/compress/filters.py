"""Whole channels go, and with them filters, columns, and whatever else they are tied to: the network shrinks.

What is to go is a part of the multiply-accumulates. Channels that are in the same tensors go in chunks that leave a
multiple of four of them, which kernels like; each time the chunk goes whose importance per MAC is the least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midge.compress.channels import STAYS, Channels, find_channels, kept_parts
from midge.compress.steps import Prune
from midge.errors import SettingsError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor

# Kernels compute so many channels at a time.
LANES = 4


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
    """Groups of one space that go next, what they are worth and the MACs that go with them."""

    space: int
    groups: Array
    value: float
    saved: int


@dataclass(frozen=True, eq=False)
class Choice:
    """Which weights stay (bool by the names of constants), the groups of channels, and which of those go (bool)."""

    kept: Mapping[str, Array]
    channels: Channels
    gone: Array


def choose_filters(graph: Graph, scores: Mapping[str, Array], step: Prune, comparable: bool) -> Choice:
    """What goes so that `step.sparsity` of the MACs do, by the scores of all weights.

    Zeros for what goes change the network as its removal does. Raises SettingsError for a sparsity that cannot be
    reached.
    """
    channels = find_channels(graph)
    gone = _chosen(graph, channels, scores, step, comparable)
    kept: dict[str, Array] = {}
    for op in graph.ops:
        for index in (i for i in op.weight_axis if i < len(op.inputs)):
            tensor = graph.tensors[op.inputs[index]]
            if tensor.is_constant:
                mask = kept_parts(channels, gone, op, index, tensor)
                kept[tensor.name] = kept[tensor.name] | mask if tensor.name in kept else mask
    return Choice(kept, channels, gone)


def _chosen(graph: Graph, channels: Channels, scores: Mapping[str, Array], step: Prune, comparable: bool) -> Array:
    """Which groups go: the least important for their MACs, chunk by chunk; then back come those that need not have."""
    gone = np.zeros(channels.groups + 1, bool)
    importance = group_importance(graph, channels, scores, comparable)
    spaces = find_spaces(graph, channels, importance, comparable, step.layers)
    costs = _Costs(graph, channels, step.layers)
    total = costs.all(gone)
    goal, left = (1 - step.sparsity) * total, total
    taken = [0] * len(spaces)
    order: list[_Chunk] = []
    while left > goal:
        chunks = _chunks(costs, spaces, taken, gone, LANES) or _chunks(costs, spaces, taken, gone, 1)
        if not chunks:
            raise SettingsError(
                f"sparsity {step.sparsity:g} cannot be reached by filters: {1 - left / total:.3f} of the MACs is the "
                "most that leaves every layer something",
                hint="a lower sparsity, or another granularity, e.g. 1x4",
            )
        chunk = min(chunks, key=lambda c: c.value / c.saved)
        if left - chunk.saved <= goal:
            chunk = min((c for c in chunks if left - c.saved <= goal), key=lambda c: c.value)
        gone[chunk.groups] = True
        taken[chunk.space] += len(chunk.groups)
        left -= chunk.saved
        order.append(chunk)
    frozen: set[int] = set()
    for chunk in reversed(order):
        fewer = gone.copy()
        fewer[chunk.groups] = False
        if chunk.space not in frozen and costs.all(fewer) <= goal:
            gone = fewer
        else:
            frozen.add(chunk.space)
    return gone


def _chunks(costs: _Costs, spaces: Sequence[Space], taken: Sequence[int], gone: Array, lanes: int) -> list[_Chunk]:
    """What could go next, one chunk of each space."""
    found = []
    for index, space in enumerate(spaces):
        then = space.chunk(taken[index], lanes)
        groups = space.groups[taken[index] : then]
        if saved := costs.saved(gone, groups):
            found.append(_Chunk(index, groups, space.value(taken[index], then), saved))
    return found


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


class _Costs:
    """MACs of some layers when groups of channels are gone."""

    def __init__(self, graph: Graph, channels: Channels, layers: Sequence[str]) -> None:
        self._graph, self._channels = graph, channels
        self._counted = [op for op in graph.ops if not layers or op.name in layers]
        self._touched: dict[int, list[Op]] = {}
        for op in self._counted:
            if op.macs(graph.inputs_of(op), graph.outputs_of(op)) > 0:
                names = (n for n in (*op.inputs, *op.outputs) if n in channels.activations)
                for group in {int(g) for name in names for g in channels.activations[name]}:
                    self._touched.setdefault(group, []).append(op)

    def all(self, gone: Array) -> int:
        """Of all of them, without the groups that are True in `gone`."""
        return sum(self._of(op, gone) for op in self._counted)

    def saved(self, gone: Array, groups: Array) -> int:
        """What fewer there are when `groups` go too."""
        touched = {op.name: op for group in groups for op in self._touched.get(int(group), ())}.values()
        after = gone.copy()
        after[groups] = True
        return sum(self._of(op, gone) - self._of(op, after) for op in touched)

    def _of(self, op: Op, gone: Array) -> int:
        inputs = [
            self._smaller(name, self._channels.constants.get((op.name, i), {}), gone)
            for i, name in enumerate(op.inputs)
        ]
        return op.macs(inputs, [self._smaller(name, {}, gone) for name in op.outputs])

    def _smaller(self, name: str, along: Mapping[int, Array], gone: Array) -> Tensor:
        tensor = self._graph.tensors[name]
        if name in self._channels.activations:
            along = {len(tensor.shape) - 1: self._channels.activations[name]} if tensor.shape else {}
        shape = list(tensor.shape)
        for axis, ids in along.items():
            shape[axis] -= int(gone[ids].sum())
        return Tensor(name, tuple(shape), tensor.dtype, data=tensor.data)
