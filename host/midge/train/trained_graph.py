"""From a trained module back to a graph: float, or integers with the step sizes that were learned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.numerics.fixed_point import quantize_array
from midge.quantize.weights import bias_limit
from midge.train.constants import Fixed, Weights

if TYPE_CHECKING:
    from midge.train.module import GraphModule


def trained_graph(module: GraphModule) -> Graph:
    """The graph of `module` with its constants, and step sizes, as they are now."""
    graph = module.graph
    tensors = {name: _tensor(module, tensor) for name, tensor in graph.tensors.items()}
    ops: list[Op] = []
    made: dict[str, str] = {}
    for op in graph.ops:
        inputs = list(op.inputs)
        if op.bias_input is not None and op.bias_input < len(inputs) and module.quantized:
            bias = _bias(module, op, tensors)
            if bias is not None:
                if made.get(bias.name, op.name) != op.name and tensors[bias.name].quant != bias.quant:
                    bias = replace(bias, name=fresh_name(f"{bias.name}/{op.name}", tensors))
                made[bias.name] = op.name
                tensors[bias.name] = bias
                inputs[op.bias_input] = bias.name
        ops.append(replace(op, inputs=tuple(inputs)))
    return verify(replace(graph, tensors=tensors).with_ops(ops))


def _tensor(module: GraphModule, tensor: Tensor) -> Tensor:
    """An activation with its quantization, a constant with its values."""
    constant = module.part_of(tensor.name)
    if isinstance(constant, Weights):
        quant = replace(tensor.q, scales=constant.step.scales())
        return replace(tensor, quant=quant, data=constant.integers()) if module.quantized else tensor
    if tensor.dtype in QUANTIZED and tensor.quant is not None and tensor.quant.axis is None:
        tensor = replace(tensor, quant=Quant((module.step_of(tensor.name),), tensor.quant.zero_points))
        if constant is not None and tensor.data is not None:
            return replace(tensor, data=quantize_array(_values(constant), tensor.q, tensor.dtype))
        return tensor
    if constant is None or isinstance(constant, Fixed) or tensor.dtype is not DType.F32:
        return tensor
    return replace(tensor, data=_values(constant))


def _values(constant: Fixed) -> Array:
    return np.asarray(constant.value()[0].numpy(), np.float32)


def _bias(module: GraphModule, op: Op, tensors: dict[str, Tensor]) -> Tensor | None:
    """The bias of a layer at the product of its input's and its weights' step sizes."""
    x, weights, bias = (module.graph.tensors[name] for name in op.inputs[:3])
    constant = module.part_of(bias.name)
    if constant is None or bias.dtype is DType.F32:
        return None
    product = np.float64(tensors[x.name].q.scale) * np.asarray(tensors[weights.name].q.scales, np.float64)
    limit = bias_limit(bias.dtype)
    steps = np.rint(_values(constant).astype(np.float64) / product.astype(np.float32).astype(np.float64))
    q = np.clip(steps, -limit, limit).astype(bias.dtype.numpy)
    scales = tuple(float(np.float32(p)) for p in product)
    return replace(bias, quant=Quant(scales, (0,) * len(scales), 0 if len(scales) > 1 else None), data=q)
