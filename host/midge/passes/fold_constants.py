"""Operators whose inputs are all constant are evaluated once, here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op, Tensor

# What a constant may cost: beyond this, computing it would trade too much flash, or too much time here.
LIMIT_BYTES = 1 << 18
LIMIT_MACS = 1 << 24


def fold_constants(graph: Graph, limit_bytes: int = LIMIT_BYTES) -> Graph:
    """The graph with computed constants in place of operators on constants.

    An operator stays when it has an output of the network, an output over `limit_bytes`, or more than LIMIT_MACS to do.
    """
    tensors = dict(graph.tensors)
    kept: list[Op] = []
    for op in graph.ops:
        inputs, outputs = [tensors[n] for n in op.inputs], [tensors[n] for n in op.outputs]
        constants = [t.data for t in inputs if t.data is not None]
        if len(constants) < len(inputs) or not _is_cheap(graph, op, inputs, outputs, limit_bytes):
            kept.append(op)
            continue
        with np.errstate(all="ignore"):
            results = op.evaluate(inputs, outputs, constants)
        tensors.update({t.name: replace(t, data=value) for t, value in zip(outputs, results, strict=True)})
    return replace(graph, tensors=tensors).with_ops(kept)


def _is_cheap(graph: Graph, op: Op, inputs: list[Tensor], outputs: list[Tensor], limit_bytes: int) -> bool:
    return (
        not set(graph.outputs).intersection(op.outputs)
        and sum(t.bytes for t in outputs) <= limit_bytes
        and op.macs(inputs, outputs) <= LIMIT_MACS
    )
