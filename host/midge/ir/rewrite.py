"""Renaming the tensors that operators read and write, which most passes end in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from midge.ir.graph import Graph, Op


def rewire(op: Op, names: Mapping[str, str]) -> Op:
    """`op` with its tensors renamed; names that are not in `names` stay."""
    inputs = tuple(names.get(n, n) for n in op.inputs)
    outputs = tuple(names.get(n, n) for n in op.outputs)
    return op if (inputs, outputs) == (op.inputs, op.outputs) else replace(op, inputs=inputs, outputs=outputs)


def count_readers(graph: Graph) -> Counter[str]:
    """How often each tensor is read: by operators, and once for each place among the graph's outputs and updates."""
    return Counter([*graph.results, *(name for op in graph.ops for name in op.inputs)])


def fresh_name(wanted: str, taken: Mapping[str, object]) -> str:
    """`wanted`, or with the first number behind it that is not taken."""
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}_{number}" in taken:
        number += 1
    return f"{wanted}_{number}"
