"""Activations that take two values alone are marked: kernels may hold such a value in one bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Tensor
from midge.ops.lookup import Lookup
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.select_v2 import SelectV2

Levels = tuple[int, int]


def find_levels(graph: Graph) -> Graph:
    """The graph with `levels` of int8 activations that come from a look-up or a choice between two values, as signs
    do, also behind views and maxima."""
    tensors = dict(graph.tensors)
    for op in graph.ops:
        levels = _levels(op, [tensors[name] for name in op.inputs])
        name = op.outputs[0]
        if levels is not None and tensors[name].dtype is DType.S8:
            tensors[name] = replace(tensors[name], levels=levels)
    return replace(graph, tensors=tensors)


def _levels(op: Op, inputs: Sequence[Tensor]) -> Levels | None:
    if isinstance(op, Lookup):
        return _of_values(inputs[1:])
    if isinstance(op, SelectV2):
        return _of_values(inputs[1:])
    return inputs[0].levels if op.is_view or isinstance(op, MaxPool2D) else None


def _of_values(constants: Sequence[Tensor]) -> Levels | None:
    if any(t.data is None for t in constants):
        return None
    found = np.unique(np.concatenate([np.asarray(t.data).reshape(-1) for t in constants]))
    return (int(found[0]), int(found[1])) if len(found) == 2 else None
