"""A max pooling over edges repeated outwards pools without them: the largest value stays the same."""

from __future__ import annotations

from dataclasses import replace

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers
from midge.ops.gather import Gather
from midge.ops.max_pool2d import MaxPool2D


def pool_edges(graph: Graph) -> Graph:
    """The graph with repeated edges as padding of the max pooling that alone reads them; drop_dead takes the rest.

    A window that reaches past an edge must hold the edge itself, which every window shorter than it reaches out does.
    """
    readers = count_readers(graph)
    writers = {name: op for op in graph.ops for name in op.outputs}
    ops: list[Op] = []
    for op in graph.ops:
        while isinstance(op, MaxPool2D):
            before = writers.get(op.inputs[0])
            pooled = None
            if isinstance(before, Gather) and readers[before.outputs[0]] == 1:
                pooled = _with_padding(op, before, graph.tensors[before.inputs[0]].shape)
            if pooled is None:
                break
            op = pooled
        ops.append(op)
    return graph.with_ops(ops)


def _with_padding(pool: MaxPool2D, edges: Gather, shape: tuple[int, ...]) -> MaxPool2D | None:
    """The pooling of what `edges` reads, which has `shape`; None where the result would differ."""
    if edges.axis not in (1, 2) or len(shape) != 4 or pool.dilation != (1, 1):
        return None
    place, size = edges.axis - 1, shape[edges.axis]
    before, after = edges.indices.count(0) - 1, edges.indices.count(size - 1) - 1
    if size == 1 or edges.indices != (*[0] * before, *range(size), *[size - 1] * after):
        return None
    sides = (pool.padding[place][0] + before, pool.padding[place][1] + after)
    kernel, stride = pool.kernel[place], pool.stride[place]
    windows = (size + sum(sides) - kernel) // stride + 1
    # The first window must reach the first element, the last one must start at the last element or before it.
    if sides[0] >= kernel or (windows - 1) * stride - sides[0] >= size:
        return None
    padding = (sides, pool.padding[1]) if place == 0 else (pool.padding[0], sides)
    return replace(pool, inputs=edges.inputs, padding=padding)
