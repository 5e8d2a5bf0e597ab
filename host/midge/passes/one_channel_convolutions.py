"""A depthwise convolution of one channel is a convolution, and the kernels of that are the faster ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import Tensor
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D


def one_channel_convolutions(graph: Graph) -> Graph:
    """The graph with CONV_2D for each int8 DEPTHWISE_CONV_2D on one channel whose weights are constant."""
    tensors: dict[str, Tensor] = dict(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, DepthwiseConv2D) and _is_convolution(tensors[op.inputs[0]], tensors[op.inputs[1]]):
            op = _convolution(op, tensors)
        ops.append(op)
    return replace(graph, tensors=tensors).with_ops(ops)


def _is_convolution(x: Tensor, weights: Tensor) -> bool:
    return x.quant is not None and x.shape[3] == 1 and weights.is_constant


def _convolution(op: DepthwiseConv2D, tensors: dict[str, Tensor]) -> Conv2D:
    """The same sums: weights (1, H, W, O) become (O, H, W, 1), with their scales by channel."""
    weights = tensors[op.inputs[1]]
    name = fresh_name(f"{weights.name}/filters", tensors)
    data = np.ascontiguousarray(np.swapaxes(np.asarray(weights.data), 0, 3))
    quant = weights.q if weights.q.axis is None else replace(weights.q, axis=0)
    tensors[name] = replace(weights, name=name, shape=data.shape, quant=quant, data=data)
    return Conv2D(
        name=op.name,
        inputs=(op.inputs[0], name, *op.inputs[2:]),
        outputs=op.outputs,
        stride=op.stride,
        dilation=op.dilation,
        padding=op.padding,
        clamp=op.clamp,
    )
