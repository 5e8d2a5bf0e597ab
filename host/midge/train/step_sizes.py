"""Which tensors of an integer network have one quantization together, and which have one that is fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from midge.ir.graph import Graph, Op
from midge.ir.tensor import QUANTIZED, Quant, Tensor


def shared_quants(graph: Graph) -> Mapping[str, str]:
    """For each quantized tensor whose step size may be learned, the first of those that share it.

    Found by asking the operators what they accept. Inputs of the network keep their quantization, and what an operator
    fixes (a softmax's output) is not learned either.
    """
    parents = {t.name: t.name for t in graph.tensors.values() if _is_quantized(t)}
    fixed = {name for name in graph.inputs if name in parents}
    weights = {op.inputs[i] for op in graph.ops for i in op.weight_axis}
    for op in graph.ops:
        tied = [t for t in _activations(graph, op) if _refuses_another(graph, op, t)]
        alike = tied and all(t.quant == tied[0].quant for t in tied) and len({t.name for t in tied}) > 1
        if op.inputs_share_quant:
            same = [t for t in _activations(graph, op) if t.quant == graph.outputs_of(op)[0].quant]
            tied, alike = same, len(same) > 1
        for tensor in tied:
            if alike:
                parents[_root(parents, tensor.name)] = _root(parents, tied[0].name)
            else:
                fixed.add(tensor.name)
    fixed_roots = {_root(parents, name) for name in fixed}
    return {n: r for n in parents if (r := _root(parents, n)) not in fixed_roots and n not in weights}


def _is_quantized(tensor: Tensor) -> bool:
    return tensor.dtype in QUANTIZED and tensor.quant is not None and tensor.quant.axis is None


def _activations(graph: Graph, op: Op) -> list[Tensor]:
    """Its quantized tensors but weights and bias."""
    inputs = [t for i, t in enumerate(graph.inputs_of(op)) if i not in op.weight_axis and i != op.bias_input]
    return [t for t in (*inputs, *graph.outputs_of(op)) if _is_quantized(t)]


def _refuses_another(graph: Graph, op: Op, tensor: Tensor) -> bool:
    """Whether the operator, content with its tensors, is so no more with another step size of this one."""
    other = replace(tensor, quant=Quant((tensor.q.scale * 1.5,), tensor.q.zero_points))
    inputs, outputs = ([other if t.name == tensor.name else t for t in some] for some in _tensors(graph, op))
    return bool(op.check(inputs, outputs))


def _tensors(graph: Graph, op: Op) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    return graph.inputs_of(op), graph.outputs_of(op)


def _root(parents: dict[str, str], name: str) -> str:
    while parents[name] != name:
        name = parents[name]
    return name
