"""The interpreter over ranges: bounds on every value of a graph, over all inputs that there can be."""

from __future__ import annotations

from collections.abc import Mapping

from midge.ir.channels import Range
from midge.ir.graph import Graph, whole_range
from midge.ops.intervals import constant_range


def tensor_ranges(graph: Graph) -> Mapping[str, Range]:
    """(low, high) per channel of every tensor, by name. Inputs and states may hold what their type holds."""
    ranges = {name: constant_range(t) for name, t in graph.tensors.items() if t.is_constant}
    ranges |= {t.name: whole_range(t) for t in (*graph.input_tensors, *graph.states)}
    for op in graph.ops:
        results = op.intervals(graph.inputs_of(op), graph.outputs_of(op), [ranges[n] for n in op.inputs])
        ranges.update(zip(op.outputs, results, strict=True))
    return ranges
