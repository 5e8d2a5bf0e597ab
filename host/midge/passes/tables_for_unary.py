"""int8 operators on single values become a look-up in 256 bytes: one load instead of fixed-point arithmetic."""

from __future__ import annotations

from dataclasses import replace

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import Array, DType, Tensor
from midge.ops.lookup import Lookup
from midge.passes.value_table import value_table, varying_input


def tables_for_unary(graph: Graph) -> Graph:
    """The graph with every int8 operator of one varying value as a `lookup`; equal tables are stored once."""
    tensors: dict[str, Tensor] = dict(graph.tensors)
    by_content: dict[bytes, str] = {}
    ops: list[Op] = []
    for op in graph.ops:
        inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
        x = varying_input(op, inputs, outputs)
        table = None if isinstance(op, Lookup) else value_table(op, inputs, outputs)
        if x is None or table is None:
            ops.append(op)
            continue
        name = by_content.get(table.tobytes()) or fresh_name(f"{op.outputs[0]}/table", tensors)
        by_content[table.tobytes()] = name
        tensors[name] = table_tensor(name, table)
        ops.append(Lookup(name=op.name, inputs=(x.name, name), outputs=op.outputs))
    return replace(graph, tensors=tensors).with_ops(ops)


def table_tensor(name: str, table: Array) -> Tensor:
    """The constant of a `lookup`: 256 int8 values without a scale of their own."""
    return Tensor(name, (256,), DType.S8, data=table)
