"""Steps of an unrolled recurrence share ranges; networks that repeat no weights keep theirs."""

from __future__ import annotations

import numpy as np

from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.tensor import Tensor
from midge.ops.add import Add
from midge.ops.fully_connected import FullyConnected
from midge.ops.slice import Slice
from midge.quantize.int8_graph import quantize_graph
from midge.quantize.ranges import Range
from midge.quantize.repeats import share_among_repeats
from small_graphs import floats, graph

STEPS = 24
WIDTH = 4


def recurrence(same_weights: bool) -> Graph:
    """h = W h + x[t], step by step: each takes its own part of x, and its own copy of the weights."""
    draw = np.random.default_rng(2)
    tensors: list[Tensor] = [floats("x", (STEPS, WIDTH)), floats("h0", (1, WIDTH))]
    ops: list[Op] = []
    once = draw.normal(size=(WIDTH, WIDTH))
    for t in range(STEPS):
        weights = once if same_weights else draw.normal(size=(WIDTH, WIDTH))
        tensors += [floats(f"w{t}", (WIDTH, WIDTH), weights.copy())]
        tensors += [floats(f"{name}{t}", (1, WIDTH)) for name in ("part", "sum")] + [floats(f"h{t + 1}", (1, WIDTH))]
        ops += [
            Slice(
                name=f"part{t}",
                inputs=("x",),
                outputs=(f"part{t}",),
                ranges=((t, 1, 1), (0, WIDTH, 1)),
                shape=(1, WIDTH),
            ),
            FullyConnected(name=f"sum{t}", inputs=(f"h{t}", f"w{t}"), outputs=(f"sum{t}",), clamp=NO_CLAMP),
            Add(name=f"h{t}", inputs=(f"sum{t}", f"part{t}"), outputs=(f"h{t + 1}",), clamp=NO_CLAMP),
        ]
    return graph(["x", "h0"], [f"h{STEPS}"], tensors, ops)


def seen(g: Graph) -> dict[str, Range]:
    """Ranges that no two activations have in common."""
    names = (*g.inputs, *(name for op in g.ops for name in op.outputs))
    return {name: Range(-1.0 - i / 100, 1.0 + i / 50) for i, name in enumerate(names)}


def test_steps_far_from_the_ends_share_their_ranges() -> None:
    g = recurrence(same_weights=True)
    ranges = share_among_repeats(g, seen(g))
    middle = range(5, STEPS - 5)
    for name in ("sum", "h"):
        assert len({ranges[f"{name}{t}"] for t in middle}) == 1
    assert ranges["sum8"] != ranges["h8"]
    assert all(ranges[n].low <= own.low and ranges[n].high >= own.high for n, own in seen(g).items())


def test_the_constants_of_such_steps_are_equal() -> None:
    g = recurrence(same_weights=True)
    made = quantize_graph(g, share_among_repeats(g, seen(g)))
    biases = {made.tensors[op.inputs[1]].quant for op in made.ops if op.kind == "fully_connected"}
    assert len(biases) == 1
    inputs = {made.tensors[op.inputs[0]].quant for op in made.ops if op.kind == "fully_connected"}
    assert len(inputs) < STEPS / 2


def test_a_network_without_repeated_weights_keeps_its_ranges() -> None:
    g = recurrence(same_weights=False)
    assert share_among_repeats(g, seen(g)) == seen(g)
