"""A layer's factoring as operators, and what a chain of layers costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from midge.compress.factorings import Factoring
from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import DType, Shape, Tensor
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected

# What an output costs beside its multiply-accumulates, in these: its sum is begun, requantized, clamped and stored.
# Of 1x1 convolutions: 13.6 cycles beside 1.0 for a MAC on Cortex-M4F, 133 beside 8.9 on AVR, 29 beside 2.2 on RV32IMC.
OUTPUT_MACS = 14
# Which part of each form has the vertical and which the horizontal side of the window, its stride and its padding.
_SIDES = {"svd": (0, 0), "tucker": (1, 1), "spatial": (0, 1)}


def estimate(outputs: int, macs: int) -> int:
    """What a layer costs, in multiply-accumulates."""
    return macs + OUTPUT_MACS * outputs


def layer_cost(graph: Graph, op: Op) -> int:
    """The estimate for a layer as it is."""
    return estimate(graph.tensors[op.outputs[0]].elements, op.macs(graph.inputs_of(op), graph.outputs_of(op)))


def chain_cost(graph: Graph, op: Op, form: str, shapes: Sequence[Shape]) -> int:
    """The estimate for the layer as a chain of parts of these shapes (O, KH, KW, C)."""
    x, total = graph.tensors[op.inputs[0]], 0
    for index, shape in enumerate(shapes):
        link = _link(op, form, index, len(shapes))
        (size,) = link.infer([x, Tensor("w", _stored(op, shape), DType.F32)])
        x = Tensor("x", size, DType.F32)
        total += estimate(x.elements, x.elements * prod(shape[1:]))
    return total


def part_shapes(form: str, shape: Shape, ranks: Sequence[int]) -> list[Shape]:
    """The shapes of the parts of weights (O, KH, KW, C) at these ranks."""
    units, height, width, depth = shape
    rank = ranks[0]
    if form == "svd":
        return [(rank, height, width, depth), (units, 1, 1, rank)]
    if form == "spatial":
        return [(rank, height, 1, depth), (units, 1, width, rank)]
    return [(ranks[1], 1, 1, depth), (rank, height, width, ranks[1]), (units, 1, 1, rank)]


def factored(graph: Graph, op: Op, factoring: Factoring) -> Graph:
    """The graph with `op` as a chain. The last link has its name, its bias and its clamp; the others are linear."""
    taken = dict(graph.tensors)
    added: list[Tensor] = []

    def add(name: str, tensor: Tensor) -> Tensor:
        tensor = replace(tensor, name=fresh_name(name, taken))
        taken[tensor.name] = tensor
        added.append(tensor)
        return tensor

    links: list[Op] = []
    x = graph.tensors[op.inputs[0]]
    last = len(factoring.parts) - 1
    for index, part in enumerate(factoring.parts):
        label = op.name if index == last else fresh_name(f"{op.name}/{factoring.form}{index}", taken)
        data = np.ascontiguousarray(part, np.float32).reshape(_stored(op, part.shape))
        weights = add(f"{op.name}/{factoring.form}{index}_weights", Tensor("", data.shape, DType.F32, None, data))
        names = [x.name, weights.name]
        link = _link(op, factoring.form, index, last + 1)
        if index == last:
            names += _bias(graph, op, factoring, add)
            links.append(replace(link, name=label, inputs=tuple(names), outputs=op.outputs))
        else:
            (size,) = link.infer([x, weights])
            x = add(label, Tensor("", size, DType.F32))
            links.append(replace(link, name=label, inputs=tuple(names), outputs=(x.name,)))
    ops = [link for o in graph.ops for link in (links if o is op else [o])]
    return graph.with_ops(ops, added)


def _link(op: Op, form: str, index: int, count: int) -> Op:
    """The operator of part `index`, its tensors not named yet."""
    clamp = getattr(op, "clamp", NO_CLAMP) if index == count - 1 else NO_CLAMP
    if isinstance(op, FullyConnected):
        return replace(op, clamp=clamp)
    assert isinstance(op, Conv2D)
    down, across = (side == index for side in _SIDES[form])
    return replace(
        op,
        stride=(op.stride[0] if down else 1, op.stride[1] if across else 1),
        dilation=(op.dilation[0] if down else 1, op.dilation[1] if across else 1),
        padding=(op.padding[0] if down else (0, 0), op.padding[1] if across else (0, 0)),
        clamp=clamp,
    )


def _stored(op: Op, shape: Shape) -> Shape:
    """How the layer's kind has weights of (O, KH, KW, C)."""
    return shape if isinstance(op, Conv2D) else (shape[0], shape[3])


def _bias(graph: Graph, op: Op, factoring: Factoring, add: Callable[[str, Tensor], Tensor]) -> list[str]:
    if factoring.shift is None:
        return list(op.inputs[2:])
    old = np.asarray(graph.tensors[op.inputs[2]].data, np.float64) if len(op.inputs) > 2 else 0.0
    data = np.asarray(old + factoring.shift, np.float32)
    return [add(f"{op.name}/{factoring.form}_bias", Tensor("", data.shape, DType.F32, None, data)).name]
