"""Dynamic-range layers as float ones: their int8 weights dequantized, for a model that is to be float or calibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import DType, Tensor
from midge.ops.dequantize import Dequantize


def float_weights(graph: Graph) -> Graph:
    """The graph with float weights wherever activations are float."""
    tensors = dict(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        inputs = list(op.inputs)
        for index in op.weight_axis:
            weights = tensors[inputs[index]]
            if weights.dtype is DType.S8 and tensors[inputs[0]].dtype is DType.F32 and weights.data is not None:
                made = _dequantized(weights, fresh_name(f"{weights.name}/float", tensors))
                tensors[made.name] = made
                inputs[index] = made.name
        ops.append(replace(op, inputs=tuple(inputs)))
    if len(tensors) == len(graph.tensors):
        return graph
    return replace(graph, tensors=tensors).with_ops(ops)


def _dequantized(weights: Tensor, name: str) -> Tensor:
    made = Tensor(name, weights.shape, DType.F32)
    step = Dequantize(name=name, inputs=(weights.name,), outputs=(name,))
    (values,) = step.evaluate([weights], [made], [np.asarray(weights.data)])
    return replace(made, data=values)
