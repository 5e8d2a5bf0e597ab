"""What layers cost while groups of channels go: multiply-accumulates, and what the kernels of a board take for them.

Cycles are the kernels' own estimates for the layer as it would be deployed, so that channels count that a kernel
computes all the same, as those of a pair or of four that is not full. Layers whose kernel estimates nothing take as
much for each multiply-accumulate as the others do in the mean, or 1 where none does, their channels in whole fours.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.boards import load_board
from midge.compress.channels import Channels
from midge.compress.cycles import deployed
from midge.errors import MidgeError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Tensor
from midge.kernels.select import by_estimate, layer_of, variants
from midge.kernels.variant import Layer, Variant
from midge.passes.constant_channels import cut
from midge.settings import Settings

LANES = 4
"""So many channels kernels compute at a time where they do not say what they take."""


@dataclass(frozen=True)
class Cost:
    """Of some layers: multiply-accumulates, and cycles or what stands for them."""

    macs: int
    cycles: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.macs - other.macs, self.cycles - other.cycles)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.cycles + other.cycles)


@dataclass(frozen=True, eq=False)
class _Kernel:
    """What a layer is as it is deployed, and the variant that says what it takes."""

    layer: Layer
    variant: Variant


class Costs:
    """Of the layers called `layers`, of all where none is named, when groups of channels are gone."""

    def __init__(self, graph: Graph, channels: Channels, layers: Sequence[str], settings: Settings) -> None:
        self._graph, self._channels = graph, channels
        self._counted = [op for op in graph.ops if not layers or op.name in layers]
        self._touched: dict[int, list[Op]] = {}
        for op in self._counted:
            if op.macs(graph.inputs_of(op), graph.outputs_of(op)) > 0:
                names = (n for n in (*op.inputs, *op.outputs) if n in channels.activations)
                for group in {int(g) for name in names for g in channels.activations[name]}:
                    self._touched.setdefault(group, []).append(op)
        self._known: dict[tuple[object, ...], Cost] = {}
        self._kernels = _kernels(graph, settings)
        self._rate = self._mean_rate()

    def all(self, gone: Array) -> Cost:
        """Of all of them, without the groups that are True in `gone`."""
        return sum((self._of(op, gone) for op in self._counted), Cost(0, 0.0))

    def saved(self, gone: Array, groups: Array) -> Cost:
        """What less there is when `groups` go too."""
        touched = {op.name: op for group in groups for op in self._touched.get(int(group), ())}.values()
        after = gone.copy()
        after[groups] = True
        return sum((self._of(op, gone) - self._of(op, after) for op in touched), Cost(0, 0.0))

    def _mean_rate(self) -> float:
        """Cycles for a multiply-accumulate of the layers that say how many they take."""
        nothing = [(op, self._graph.inputs_of(op), self._graph.outputs_of(op)) for op in self._graph.ops]
        macs = sum(op.macs(i, o) for op, i, o in nothing if op.name in self._kernels)
        cycles = sum(_cycles(k, k.layer.inputs, k.layer.outputs) for k in self._kernels.values())
        return cycles / macs if macs else 1.0

    def _of(self, op: Op, gone: Array) -> Cost:
        along = [self._along(op, place, gone) for place in range(len(op.inputs) + len(op.outputs))]
        key = (op.name, *(tuple(sorted((axis, int(kept.sum())) for axis, kept in some.items())) for some in along))
        if key not in self._known:
            tensors = [self._graph.tensors[name] for name in (*op.inputs, *op.outputs)]
            split = len(op.inputs)
            smaller = [_shrunk(t, a) for t, a in zip(tensors, along, strict=True)]
            kernel = self._kernels.get(op.name)
            if kernel is None:
                whole = [
                    _shrunk(t, {axis: _in_lanes(k) for axis, k in a.items()})
                    for t, a in zip(tensors, along, strict=True)
                ]
                cycles = self._rate * op.macs(whole[:split], whole[split:])
            else:
                cycles = _smaller_cycles(kernel, op, along)
            self._known[key] = Cost(op.macs(smaller[:split], smaller[split:]), cycles)
        return self._known[key]

    def _along(self, op: Op, place: int, gone: Array) -> Mapping[int, Array]:
        """What stays (bool) along the axes of an input, or of an output behind those."""
        name = (*op.inputs, *op.outputs)[place]
        tensor = self._graph.tensors[name]
        if name in self._channels.activations:
            return {len(tensor.shape) - 1: ~gone[self._channels.activations[name]]} if tensor.shape else {}
        ids = self._channels.constants.get((op.name, place), {}) if place < len(op.inputs) else {}
        return {axis: ~gone[groups] for axis, groups in ids.items()}


def _kernels(graph: Graph, settings: Settings) -> Mapping[str, _Kernel]:
    """By layer, where a kernel for any weights says how long it takes; nothing where the network is not integer."""
    if graph.is_float and (graph.updates or any(t.dtype is not DType.F32 for t in graph.input_tensors)):
        return {}  # It remembers, which is not quantized, or takes indices: what is drawn for them is out of range.
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Nothing is kept of it.
            warnings.simplefilter("ignore")
            made = deployed(graph, settings)
    except MidgeError:
        return {}
    features = set(load_board(settings.board).core.features)
    found: dict[str, _Kernel] = {}
    for index in (i for i, op in enumerate(made.ops) if op.weight_axis and op.name in {o.name for o in graph.ops}):
        layer = _without_zeros(layer_of(made, index))
        asked = [v for v in variants(layer.op.kernels) if v.cycles and not v.makes_code and v.needs <= features]
        able = [v for v in asked if v.fits(layer)]
        if able:
            found[layer.op.name] = _Kernel(layer, by_estimate(layer, able)[0])
    return found


def _without_zeros(layer: Layer) -> Layer:
    """Weights that are zero are about to go, or are to be counted: no reason for a kernel that leaves them out."""
    inputs = [
        t
        if t.data is None or i not in layer.op.weight_axis
        else replace(t, data=np.where(t.data == 0, 1, t.data).astype(t.dtype.numpy))
        for i, t in enumerate(layer.inputs)
    ]
    return Layer(layer.op, tuple(inputs), layer.outputs)


def _smaller_cycles(kernel: _Kernel, op: Op, along: Sequence[Mapping[int, Array]]) -> float:
    """Of the kernel for its layer with what stays along the axes of `op`, the same layer before it was deployed."""
    layer, split = kernel.layer, len(op.inputs)
    outputs = [_shrunk(t, a) for t, a in zip(layer.outputs, along[split:], strict=True)]
    # A bias that there was none of before: as long as there are output channels.
    made = dict(enumerate(along[split].values()))
    more = [made] * len(layer.inputs[split:])
    inputs = [_shrunk(t, a) for t, a in zip(layer.inputs, [*along[:split], *more], strict=True)]
    return _cycles(kernel, tuple(inputs), tuple(outputs))


def _cycles(kernel: _Kernel, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> float:
    assert kernel.variant.cycles is not None
    return kernel.variant.cycles(Layer(kernel.layer.op, inputs, outputs))


def _in_lanes(kept: Array) -> Array:
    """As many as make whole fours, where there are as many."""
    count = min(-(-int(kept.sum()) // LANES) * LANES, len(kept))
    return np.arange(len(kept)) < count


def _shrunk(tensor: Tensor, along: Mapping[int, Array]) -> Tensor:
    if tensor.is_constant:
        return cut(tensor, along) if along else tensor
    shape = list(tensor.shape)
    for axis, kept in along.items():
        shape[axis] = int(kept.sum())
    return replace(tensor, shape=tuple(shape))
