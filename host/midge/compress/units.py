"""Units: stretches of a network that can be left out, because what goes in has the shape of what comes out.

A unit begins and ends where the network has a waist: one activation, through which all that follows depends on what
came before. So a residual block is one unit, and its inner layers are none. A depthwise layer belongs to the one behind
it. What reads the network's input or makes its output stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import rewire
from midge.ir.tensor import Tensor
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.quantize import Quantize


@dataclass(frozen=True)
class Unit:
    """The operators (their names) that make the activation `result` from `source`, of the same shape and type."""

    source: str
    result: str
    layers: tuple[str, ...]


def find_units(graph: Graph) -> tuple[Unit, ...]:
    """All units, in order; no two overlap."""
    waists = _waists(graph)
    units: list[Unit] = []
    first = 0
    for end in range(len(waists)):
        for begin in range(end - 1, first - 1, -1):
            found = _unit(graph, waists[begin], waists[end])
            if found is not None:
                units.append(found)
                first = end
                break
    return tuple(units)


def without_units(graph: Graph, units: Sequence[Unit]) -> Graph:
    """The graph without those units: what read their results reads what they had read, requantized where scales
    differ."""
    names: dict[str, str] = {}
    gone = {name for unit in units for name in unit.layers}
    ops: list[Op] = []
    for op in graph.ops:
        if op.name not in gone:
            ops.append(rewire(op, names))
            continue
        unit = next(b for b in units if op.name in b.layers)
        if op.outputs[0] == unit.result:
            source = names.get(unit.source, unit.source)
            if graph.tensors[unit.source].quant == graph.tensors[unit.result].quant:
                names[unit.result] = source
            else:
                ops.append(Quantize(name=op.name, inputs=(source,), outputs=(unit.result,)))
    return graph.with_ops(ops)


@dataclass(frozen=True)
class _Waist:
    """An activation, and how many operators there are up to the one that makes it."""

    tensor: str
    place: int


def _waists(graph: Graph) -> list[_Waist]:
    """Activations behind whose making no earlier one is read, in order."""
    last: dict[str, int] = {}
    for place, op in enumerate(graph.ops):
        last.update(dict.fromkeys(op.inputs, place))
    last.update(dict.fromkeys(graph.results, len(graph.ops)))
    alive = set(graph.sources)
    found = []
    for place, op in enumerate(graph.ops):
        alive.update(op.outputs)
        alive = {name for name in alive if last.get(name, -1) > place}
        if alive == {op.outputs[0]} and op.outputs[0] not in graph.outputs:
            found.append(_Waist(op.outputs[0], place))
    return found


def _unit(graph: Graph, begin: _Waist, end: _Waist) -> Unit | None:
    """What lies between two waists, when it can be left out and has weights that mix channels."""
    source, result = graph.tensors[begin.tensor], graph.tensors[end.tensor]
    inner = graph.ops[begin.place + 1 : end.place + 1]
    if not _alike(source, result) or isinstance(graph.ops[begin.place], DepthwiseConv2D):
        return None
    if not any(op.weight_axis and not isinstance(op, DepthwiseConv2D) for op in inner):
        return None
    return Unit(source.name, result.name, tuple(op.name for op in inner))


def _alike(source: Tensor, result: Tensor) -> bool:
    return (source.shape, source.dtype) == (result.shape, result.dtype)
