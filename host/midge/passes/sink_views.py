"""Views move behind the elementwise operators that read them: these meet the layer before, and become part of it.

A one-dimensional convolution is a two-dimensional one between views: without this, its bias and its activation would
each walk over all values again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers, fresh_name
from midge.ir.tensor import Tensor
from midge.ops.reshape import Reshape


def sink_views(graph: Graph) -> Graph:
    """The graph with each view behind the elementwise operator that alone reads it, where a layer that clamps feeds it.

    No value changes: the other operand is a constant that varies along the last axis at most, which the view keeps.
    """
    readers = count_readers(graph)
    tensors = dict(graph.tensors)
    writers: dict[str, Op] = {}
    moved_from: set[str] = set()
    ops: list[Op] = []
    for op in graph.ops:
        view = _view(op, tensors, writers)
        moved = None if view is None or readers[view.outputs[0]] != 1 else _moved(op, view, tensors)
        if view is not None and moved is not None:
            moved_from.add(view.outputs[0])
        for one in moved or (op,):
            ops.append(one)
            writers.update(dict.fromkeys(one.outputs, one))
    return replace(graph, tensors=tensors).with_ops([op for op in ops if op.outputs[0] not in moved_from])


def _view(op: Op, tensors: Mapping[str, Tensor], writers: Mapping[str, Op]) -> Reshape | None:
    """The view that `op`, elementwise with one operand, reads straight from a layer that could take it up."""
    computed = [name for name in op.inputs if not tensors[name].is_constant]
    if not op.is_elementwise or len(op.outputs) != 1 or len(computed) != 1:
        return None
    view = writers.get(computed[0])
    if not isinstance(view, Reshape) or not hasattr(writers.get(view.inputs[0]), "clamp"):
        return None
    return view


def _moved(op: Op, view: Reshape, tensors: dict[str, Tensor]) -> tuple[Op, Op] | None:
    """`op` on what the view shows, and the view behind it; new tensors in `tensors`. None where that is another sum."""
    source, seen, result = (tensors[name] for name in (view.inputs[0], view.outputs[0], op.outputs[0]))
    if source.quant != seen.quant or result.shape != seen.shape:
        return None
    names = {seen.name: source.name}
    for name in op.inputs:
        if (other := tensors[name]).is_constant:
            if other.elements != 1 and not _by_last_axis(other, seen, source):
                return None
            names[name] = fresh_name(f"{name}/{op.name}", tensors)
            data = None if other.data is None else other.data.reshape(-1)
            tensors[names[name]] = replace(other, name=names[name], shape=(other.elements,), data=data)
    inner = fresh_name(f"{result.name}/unviewed", tensors)
    tensors[inner] = replace(result, name=inner, shape=source.shape)
    first = replace(op, inputs=tuple(names[name] for name in op.inputs), outputs=(inner,))
    return first, replace(view, inputs=(inner,), outputs=op.outputs, shape=result.shape)


def _by_last_axis(constant: Tensor, seen: Tensor, source: Tensor) -> bool:
    channels = constant.elements
    alone = constant.shape[-1] == channels and (constant.quant is None or constant.quant.axis is None)
    return alone and bool(seen.shape and source.shape) and seen.shape[-1] == source.shape[-1] == channels
