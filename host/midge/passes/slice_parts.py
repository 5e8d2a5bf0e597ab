"""Operators with several outputs that are parts of one tensor become a slice for each of them.

So each part has a lifetime and a kernel of its own, and a part that nothing reads goes.
"""

from __future__ import annotations

from midge.ir.graph import Graph, Op
from midge.ir.tensor import Shape
from midge.ops.slice import Slice
from midge.ops.split import Split
from midge.ops.unpack import Unpack


def slice_parts(graph: Graph) -> Graph:
    """The graph with SPLIT and UNPACK as slices, the first of which keeps the layer's name."""
    names = {op.name for op in graph.ops}
    ops: list[Op] = []
    for op in graph.ops:
        if not isinstance(op, Split | Unpack):
            ops.append(op)
            continue
        (x,), first = graph.inputs_of(op), 0
        sizes = op.sizes if isinstance(op, Split) else (1,) * len(op.outputs)
        for number, (output, size) in enumerate(zip(op.outputs, sizes, strict=True)):
            name = op.name if number == 0 else _fresh(f"{op.name}_{number}", names)
            ranges = _along(x.shape, op.axis, first, size)
            shape = graph.tensors[output].shape
            ops.append(Slice(name=name, inputs=op.inputs, outputs=(output,), ranges=ranges, shape=shape))
            first += size
    return graph.with_ops(ops)


def _along(shape: Shape, axis: int, first: int, size: int) -> tuple[tuple[int, int, int], ...]:
    return tuple((first, size, 1) if i == axis else (0, n, 1) for i, n in enumerate(shape))


def _fresh(name: str, names: set[str]) -> str:
    while name in names:
        name += "_"
    names.add(name)
    return name
