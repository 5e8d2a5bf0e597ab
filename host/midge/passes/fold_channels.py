"""A weighted sum that loses some of its columns: what they contributed joins the bias."""

from __future__ import annotations

import numpy as np

from midge.ir.channels import Mixing, last_axis
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops.intervals import fits_int32, regrouped
from midge.passes.live_channels import LiveChannels, active_rows, is_constant


def fold_columns(graph: Graph, op: Op, mixing: Mixing, live: LiveChannels, classes: Array) -> tuple[Tensor, Tensor]:
    """Weights and bias of `op` without what it reads of the classes that are False in `classes`, in their full shapes.

    A row that has to be computed reads nothing there but constants, each by taps that always lie inside: their part of
    the sum is one number. The weights of any other row become 0, and its bias a sum that the row could have had, so
    that its outputs stay in their range.
    """
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    gone = ~classes[last_axis(op.ties(inputs, outputs)[1])]
    values = regrouped(live.ranges[op.inputs[0]], len(gone))
    offsets = np.where(gone & is_constant(values), values[0] - inputs[0].q.zero_point, 0)
    bias = np.zeros(len(mixing.weights), np.int64) if mixing.bias is None else mixing.bias.astype(np.int64)
    bias = bias + mixing.weights.astype(np.int64).sum(axis=1) @ offsets
    active = active_rows(live, op)
    sums = op.accumulators(inputs, outputs, [live.ranges[name] for name in op.inputs])
    if sums is not None:
        bias = np.where(active, bias, np.where(fits_int32(sums), sums[0], 0))
    weights = np.where(active[:, None, None], mixing.weights, 0).astype(np.int8).reshape(inputs[1].shape)
    return _with_data(inputs[1], weights), _with_data(_bias_tensor(op, inputs, outputs), bias.astype(np.int32))


def _bias_tensor(op: Op, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Tensor:
    """The bias, or a new one."""
    if len(inputs) > 2:
        return inputs[2]
    x, weights = inputs[0].q, inputs[1].q
    scales = tuple(float(np.float32(x.scale * scale)) for scale in weights.scales)
    quant = Quant(scales, (0,) * len(scales), None if weights.axis is None else 0)
    return Tensor(f"{op.outputs[0]}/bias", (inputs[1].shape[0],), DType.S32, quant)


def _with_data(tensor: Tensor, data: Array) -> Tensor:
    return Tensor(tensor.name, tensor.shape, tensor.dtype, tensor.quant, data)
