"""Dynamic range: float layers get integer weights, and the range of each input is found at run time, on the device.

Nothing is calibrated, and no data is needed. Layers that have no such form in TensorFlow Lite stay float. One layer
costs a look at its whole input and one rounding more than in a network whose ranges are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.quantize.weights import quantize_weights
from midge.settings import Width


def dynamic_graph(graph: Graph, widths: Callable[[str], Width] = lambda name: "int8", clip: bool = False) -> Graph:
    """The float `graph` with symmetric integer weights wherever an operator takes them with float activations.

    Weights have a scale per channel where TensorFlow Lite reads one (`Op.dynamic_axis`), else one for all.
    """
    tensors = dict(graph.tensors)
    ops: list[Op] = []
    for op in graph.ops:
        inputs = list(op.inputs)
        for index in op.weight_axis:
            weights = tensors[inputs[index]]
            if weights.data is None or weights.dtype is not DType.F32:
                continue
            name = fresh_name(f"{weights.name}/{op.name}/int8", tensors)
            made = replace(_integers(weights, op.dynamic_axis, widths(op.name), clip), name=name)
            trial = [made if i == index else tensors[n] for i, n in enumerate(inputs)]
            if not op.check(trial, [tensors[n] for n in op.outputs]):
                tensors[name] = made
                inputs[index] = name
        ops.append(replace(op, inputs=tuple(inputs)))
    return verify(replace(graph, tensors=tensors).with_ops(ops))


def _integers(weights: Tensor, axis: int | None, width: Width, clip: bool) -> Tensor:
    if axis is not None:
        return quantize_weights(weights, None, axis, 1.0, width, clip).weights
    row = Tensor(weights.name, (1, weights.elements), DType.F32, data=np.reshape(np.asarray(weights.data), (1, -1)))
    found = quantize_weights(row, None, 0, 1.0, width, clip).weights
    data = np.asarray(found.data).reshape(weights.shape)
    return Tensor(weights.name, weights.shape, DType.S8, Quant.per_tensor(found.q.scale, 0), data)
