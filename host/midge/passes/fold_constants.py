"""Operators whose inputs are all constant are evaluated once, here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.tensor import Tensor

# All computed constants together: more than the flash of any microcontroller, little enough to compute at once.
LIMIT_BYTES = 32 << 20


def fold_constants(graph: Graph, limit_bytes: int = LIMIT_BYTES) -> Graph:
    """The graph with computed constants, at most `limit_bytes` of them, in place of operators on constants.

    An operator stays when its output is one of the network's or of a state's, and when it has weights or windows: those
    take long, and no network has them on constants.
    """
    tensors: dict[str, Tensor] = dict(graph.tensors)
    kept: list[Op] = []
    for op in graph.ops:
        inputs, outputs = [tensors[n] for n in op.inputs], [tensors[n] for n in op.outputs]
        constants = [t.data for t in inputs if t.data is not None]
        bytes_ = sum(t.bytes for t in outputs)
        slow = bool(op.weight_axis) or hasattr(op, "padding")
        if len(constants) < len(inputs) or slow or bytes_ > limit_bytes or set(graph.results).intersection(op.outputs):
            kept.append(op)
            continue
        limit_bytes -= bytes_
        with np.errstate(all="ignore"):
            results = op.evaluate(inputs, outputs, constants)
        tensors.update({t.name: replace(t, data=value) for t, value in zip(outputs, results, strict=True)})
    return replace(graph, tensors=tensors).with_ops(kept)
