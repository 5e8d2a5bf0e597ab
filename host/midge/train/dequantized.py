"""An integer network as the float one that it stands for: a start for training when nothing else is left of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.ir.verify import verify
from midge.ops.dequantize import Dequantize
from midge.ops.quantize import Quantize
from midge.ops.reshape import Reshape
from midge.passes.drop_identities import drop_identities


def dequantized(graph: Graph) -> Graph:
    """The float network with the weights that the integers stand for; a float graph comes back as it is.

    Where an output's integers reach down to 0 and no further, the layer has a ReLU, fused into it or not.
    """
    if graph.is_float:
        return graph
    biases = {op.inputs[op.bias_input]: op for op in graph.ops if op.bias_input is not None and len(op.inputs) > 2}
    tensors = {name: _tensor(graph, t, biases.get(name)) for name, t in graph.tensors.items()}
    made = replace(graph, tensors=tensors).with_ops([_op(graph, op) for op in graph.ops])
    return verify(drop_identities(made))


def _tensor(graph: Graph, tensor: Tensor, bias_of: Op | None) -> Tensor:
    if tensor.quant is None and bias_of is None:
        return tensor
    data: Array | None = tensor.data
    if bias_of is not None and data is not None and tensor.dtype is not DType.F32:
        x, weights = (graph.tensors[name] for name in bias_of.inputs[:2])
        data = np.asarray(data * (x.q.scale * np.asarray(weights.q.scales, np.float64)), np.float32)
    elif data is not None and tensor.dtype in QUANTIZED:
        step = Dequantize(name=tensor.name, inputs=(tensor.name,), outputs=(tensor.name,))
        (data,) = step.evaluate([tensor], [tensor], [data])
    return Tensor(tensor.name, tensor.shape, DType.F32, None, data)


def _op(graph: Graph, op: Op) -> Op:
    output = graph.outputs_of(op)[0]
    if isinstance(op, Quantize | Dequantize):
        return Reshape(name=op.name, inputs=op.inputs, outputs=op.outputs, shape=output.shape)
    clamp = getattr(op, "clamp", None)
    reaches_down_to_0 = output.dtype in QUANTIZED and output.q.zero_point == output.dtype.limits[0]
    if clamp is None or not reaches_down_to_0:
        return op
    return cast(Op, replace(cast(Any, op), clamp=(max(clamp[0], 0.0), clamp[1])))
