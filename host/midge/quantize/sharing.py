"""Which tensors of a network are quantized alike, and how: the scale and zero point of every activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from midge.errors import InternalError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Quant, Tensor
from midge.quantize.ranges import Range, activation_quant, united, with_zero


def activation_quants(graph: Graph, ranges: Mapping[str, Range]) -> Mapping[str, Quant]:
    """int8 quantization by tensor name: of every activation, and of constants that are joined to activations.

    Tensors that an operator only moves (views, pools, pads, what is concatenated) share one quantization; its range
    holds the ranges of all tensors of the group that are computed rather than moved. Where an operator fixes its
    output's quantization, that holds, and a concatenation has to requantize such an input (its quantization differs
    from the output's then).
    """
    sharing = _sharing(graph, ranges)
    groups: dict[str, list[Range]] = {}
    for name, own in sharing.ranges.items():
        groups.setdefault(_root(sharing.parents, name), []).append(own)
    quants = {root: activation_quant(united(members)) for root, members in groups.items()}
    return {**{name: quants[_root(sharing.parents, name)] for name in sharing.parents}, **sharing.fixed}


def constant_range(tensor: Tensor) -> Range:
    """The range of a constant's values."""
    if tensor.data is None:
        raise InternalError(f"{tensor.name} is not constant")
    return with_zero(float(tensor.data.min()), float(tensor.data.max()))


@dataclass(frozen=True)
class _Sharing:
    """`fixed` by operators; for all others, the forest of who shares (`parents`) and the ranges to be held."""

    fixed: dict[str, Quant]
    parents: dict[str, str]
    ranges: dict[str, Range]


def _sharing(graph: Graph, ranges: Mapping[str, Range]) -> _Sharing:
    found = _Sharing({}, {}, {})
    for name in graph.inputs:
        _alone(found, name, ranges)
    for op in graph.ops:
        for tensor in graph.inputs_of(op):
            if tensor.is_constant and tensor.name not in found.parents:
                _alone(found, tensor.name, {tensor.name: constant_range(tensor)})
        _add(found, graph, op, ranges)
    return found


def _add(found: _Sharing, graph: Graph, op: Op, ranges: Mapping[str, Range]) -> None:
    wanted = op.output_quant(graph.inputs_of(op))
    if op.inputs_share_quant and graph.tensors[op.outputs[0]].dtype is DType.F32:
        _join(found, graph, op, ranges)
        return
    for target in op.outputs:
        if isinstance(wanted, Quant):
            found.fixed[target] = wanted
        elif wanted == "observed":
            _alone(found, target, ranges)
        elif op.inputs[0] in found.fixed:
            found.fixed[target] = found.fixed[op.inputs[0]]
        else:
            found.parents[target] = op.inputs[0]


def _join(found: _Sharing, graph: Graph, op: Op, ranges: Mapping[str, Range]) -> None:
    target = op.outputs[0]
    names = [t.name for t in graph.inputs_of(op) if t.dtype is DType.F32]
    fixed = {found.fixed.get(name) for name in names}
    if len(fixed) == 1 and (same := fixed.pop()) is not None:
        found.fixed[target] = same
        return
    found.parents[target] = target
    for name in names:
        if name not in found.fixed:
            found.parents[_root(found.parents, name)] = target
            continue
        # This input is requantized, so that the group must reach as far as its values do.
        mine = [found.ranges[target]] if target in found.ranges else []
        found.ranges[target] = united([*mine, _observed(name, ranges)])


def _alone(found: _Sharing, name: str, ranges: Mapping[str, Range]) -> None:
    found.parents[name] = name
    found.ranges[name] = _observed(name, ranges)


def _observed(name: str, ranges: Mapping[str, Range]) -> Range:
    if name not in ranges:
        raise InternalError(f"tensor {name} was not calibrated", hint="calibrate the very graph that is quantized")
    return ranges[name]


def _root(parents: dict[str, str], name: str) -> str:
    while parents[name] != name:
        parents[name] = parents[parents[name]]
        name = parents[name]
    return name
