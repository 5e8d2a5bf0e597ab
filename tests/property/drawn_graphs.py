"""Drawn int8 graphs of 10 to 30 operators of every kind, with branches and several outputs.

Layers that networks are made of (drawn_networks) follow each other directly. Every other operator comes as the tests of
kernels draw it, and is connected by operators that bring a tensor to the shape and scale it was drawn for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from differential.draw import DRAWS, FAMILIES, draw_cases
from differential.draw_tensors import Case
from midge.errors import InternalError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Quant, Shape, Tensor
from midge.ir.verify import verify
from midge.ops.greater import Greater
from midge.ops.quantize import Quantize
from midge.ops.reshape import Reshape
from midge.ops.slice import Slice
from midge.ops.tile import Tile
from property.drawn_networks import QUANTS, STEPS, Network

FEWEST, MOST = 10, 30
# Kernels whose operators give or take floats have no bits to agree on.
_FLOAT = {kind for kind, (_, types) in {**DRAWS, **FAMILIES}.items() if DType.S8 not in types} | {"dequantize"}
# A family as often as it has operators.
KINDS = [(k, code) for k in (*DRAWS, *FAMILIES) if k not in _FLOAT for code in FAMILIES.get(k, [[""]])[0]]
_MOST_ELEMENTS = 5000


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """One graph."""
    shape = (1, draw(st.integers(2, 6)), draw(st.integers(2, 6)), draw(st.integers(1, 4)))
    x = Tensor("x", shape, DType.S8, draw(QUANTS))
    n, size = Network(draw, x, [x]), draw(st.integers(FEWEST, MOST - 4))
    # Hypothesis likes small numbers; which operators come is to be anything.
    random = draw(st.randoms(use_true_random=True))
    while len(n.ops) < size:
        images = [t for t in n.tensors if _is_image(t)]
        if random.random() < 0.3:
            n.x = random.choice(images)
        before = (len(n.ops), len(n.tensors), n.x)
        if random.random() < 0.5:
            random.choice(STEPS)(n)
        else:
            _graft(n, random)
        if len(n.ops) > MOST or n.tensors[-1].elements > _MOST_ELEMENTS:
            del n.ops[before[0] :], n.tensors[before[1] :]
            n.x = before[2]
    written = [name for op in n.ops for name in op.outputs]
    read = {name for op in n.ops for name in op.inputs}
    ends = [name for name in written if name not in read]
    extra = draw(st.lists(st.sampled_from(written), max_size=2))
    return verify(Graph("drawn", ("x",), tuple(dict.fromkeys([*ends, *extra])), _named(n.tensors), tuple(n.ops)))


def draw_graphs(count: int, number: int) -> list[Graph]:
    """`count` graphs, each with a name of its own; the same for the same `number`."""
    return [replace(_one(number * count + i), name=f"drawn{number}_{i}") for i in range(count)]


def _one(number: int) -> Graph:
    """The last of a few: Hypothesis begins with the simplest, and goes on with what is like those before."""
    found: list[Graph] = []

    @seed(number)
    @settings(
        max_examples=2, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(graphs())
    def collect(graph: Graph) -> None:
        found.append(graph)

    collect()
    return found[-1]


def _named(tensors: list[Tensor]) -> dict[str, Tensor]:
    return {t.name: t for t in tensors}


def _is_image(t: Tensor) -> bool:
    return t.data is None and t.dtype is DType.S8 and t.quant is not None and len(t.shape) == 4 and t.shape[0] == 1


def _graft(n: Network, random: Random) -> None:
    """An operator as the tests of kernels draw it, its inputs made of the tensors that there are."""
    case = _drawn(*random.choice(KINDS), random.getrandbits(30))
    if case is None:
        return
    graph = case.graph
    images = [t for t in n.tensors if _is_image(t)]
    names: dict[str, str] = {}
    for name in graph.inputs:
        source = random.choice(images) if names else n.x
        first = random.random()
        names[name] = _brought(n, source, graph.tensors[name], first).name
    for t in graph.tensors.values():
        if t.name not in names:
            names[t.name] = f"t{len(n.tensors)}"
            n.tensors.append(replace(t, name=names[t.name]))
    inputs, outputs = (tuple(names[name] for name in ends) for ends in (case.op.inputs, case.op.outputs))
    n.ops.append(replace(case.op, name=f"op{len(n.ops)}", inputs=inputs, outputs=outputs))
    last = next(t for t in n.tensors if t.name == outputs[0])
    if last.dtype is DType.S8 and last.quant is not None:
        image = (1, 1, last.elements, 1) if last.elements > 6 else (1, last.elements, 1, 1)
        if len(last.shape) == 4 and last.shape[0] == 1:
            image = last.shape
        n.x = _view(n, last, image)


def _drawn(kind: str, code: str, number: int) -> Case | None:
    """The first case of integers that can be brought into a graph."""
    try:
        cases = draw_cases(kind, 8, number, code)
    except InternalError:  # scales too far apart for the operator
        return None
    Random(number).shuffle(cases)
    for case in cases:
        tensors = case.graph.tensors.values()
        given = [case.graph.tensors[name] for name in case.graph.inputs]
        if any(name not in case.graph.inputs and case.graph.tensors[name].data is None for name in case.op.inputs):
            continue  # it remembers: one run says nothing
        fits = all(t.elements <= _MOST_ELEMENTS for t in tensors)
        if fits and given and all(_can_be_brought(t) for t in given) and not any(t.dtype is DType.F32 for t in tensors):
            return case
    return None


def _can_be_brought(t: Tensor) -> bool:
    return t.dtype is DType.BOOL or (t.dtype is DType.S8 and t.quant is not None)


def _brought(n: Network, source: Tensor, wanted: Tensor, place: float) -> Tensor:
    """`source` with the shape, type and scale of `wanted`; of too many values those from `place` (0 to 1) on."""
    count = wanted.elements
    flat = _view(n, source, (source.elements,))
    if source.elements < count:
        times = -(-count // source.elements)
        flat = _add(n, flat, (flat.elements * times,), lambda **ends: Tile(multiples=(times,), **ends))
    if flat.elements > count:
        first = int((flat.elements - count + 1) * place)
        flat = _add(n, flat, (count,), lambda **ends: Slice(ranges=((first, count, 1),), shape=(count,), **ends))
    quant = Quant.per_tensor(0.05, 3) if wanted.dtype is DType.BOOL else wanted.quant
    if flat.quant != quant:
        flat = _add(n, replace(flat, quant=quant), flat.shape, lambda **ends: Quantize(**ends))
    if wanted.dtype is DType.BOOL:
        half = n.constant(np.zeros(1, np.int8), DType.S8, flat.quant)
        y = Tensor(f"t{len(n.tensors)}", flat.shape, DType.BOOL)
        n.tensors.append(y)
        n.ops.append(Greater(name=f"op{len(n.ops)}", inputs=(flat.name, half), outputs=(y.name,)))
        return _view(n, y, wanted.shape)
    return _view(n, flat, wanted.shape)


def _view(n: Network, x: Tensor, shape: Shape) -> Tensor:
    return x if x.shape == shape else _add(n, x, shape, lambda **ends: Reshape(shape=shape, **ends))


def _add(n: Network, x: Tensor, shape: Shape, make: Callable[..., Op]) -> Tensor:
    """An operator on the tensor called like x; its output has the type and scale that x says."""
    y = replace(x, name=f"t{len(n.tensors)}", shape=shape, data=None)
    n.tensors.append(y)
    n.ops.append(make(name=f"op{len(n.ops)}", inputs=(x.name,), outputs=(y.name,)))
    return y
