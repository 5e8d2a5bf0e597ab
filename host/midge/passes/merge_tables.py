"""A look-up in what a look-up gives becomes one look-up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers, fresh_name
from midge.ir.tensor import Tensor
from midge.ops.lookup import Lookup
from midge.passes.tables_for_unary import table_tensor


def merge_tables(graph: Graph) -> Graph:
    """The graph with chains of look-ups as one, where nothing else reads what is between."""
    readers = count_readers(graph)
    tensors: dict[str, Tensor] = dict(graph.tensors)
    writers: dict[str, Lookup] = {}
    dropped: set[str] = set()
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Lookup):
            first = writers.get(op.inputs[0])
            if first is not None and readers[op.inputs[0]] == 1:
                op = _composed(first, op, tensors)
                dropped.add(first.outputs[0])
            writers[op.outputs[0]] = op
        ops.append(op)
    return replace(graph, tensors=tensors).with_ops([op for op in ops if not dropped.intersection(op.outputs)])


def _composed(first: Lookup, second: Lookup, tensors: dict[str, Tensor]) -> Lookup:
    inner, outer = (np.asarray(tensors[op.inputs[1]].data) for op in (first, second))
    name = fresh_name(f"{second.outputs[0]}/table", tensors)
    tensors[name] = table_tensor(name, outer[inner.astype(np.intp) + 128])
    return replace(second, inputs=(first.inputs[0], name))
