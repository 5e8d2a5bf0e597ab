"""Draws layers with weights or windows: convolutions, matrix products, pools."""

from __future__ import annotations

from dataclasses import replace

from differential.draw_depthwise import draw_usual_depthwise
from differential.draw_tensors import (
    Case,
    Rng,
    activation,
    below,
    clamp,
    names,
    one_op,
    output,
    pair,
    sometimes_signs,
    weighted,
)
from midge.ir.graph import Padding
from midge.ir.tensor import DType
from midge.numerics.windows import window_output_size
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.max_pool2d import MaxPool2D


def _window(rng: Rng, most: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], Padding]:
    """Input size, kernel, stride and padding; any padding up to `most`, often none, sometimes one pixel of output."""
    kernel, stride = pair(rng, 4), pair(rng, 3)
    sides = rng.integers(0, most + 1, 4).tolist() if rng.random() < 0.6 else [0, 0, 0, 0]
    padding = ((sides[0], sides[1]), (sides[2], sides[3]))
    size = (kernel[0] + int(rng.integers(0, 6)), kernel[1] + int(rng.integers(0, 6)))
    return (kernel, size, stride, padding) if rng.random() < 0.85 else (size, size, stride, ((0, 0), (0, 0)))


def draw_conv2d(rng: Rng, dtype: DType) -> Case:
    """Groups, dilations, 1x1 kernels, batches, and windows that lie in the padding altogether."""
    kernel, size, stride, padding = _window(rng, 5)
    if rng.random() < 0.3:
        kernel = (1, 1)
        stride, padding = ((1, 1), ((0, 0), (0, 0))) if rng.random() < 0.5 else (stride, padding)
    dilation = pair(rng, 2) if rng.random() < 0.4 else (1, 1)
    size = tuple(max(n, (k - 1) * d + 1) for n, k, d in zip(size, kernel, dilation, strict=True))
    groups = below(rng, 3) if rng.random() < 0.3 else 1
    c_in, c_out = below(rng, 5) * groups, below(rng, 5) * groups
    x = activation("x", (int(rng.choice([1, 1, 2])), *size, c_in), dtype, rng)
    constants, scale = weighted(rng, dtype, x, (c_out, *kernel, c_in // groups), 0)
    out = window_output_size(size, kernel, stride, dilation, padding)
    op = Conv2D(
        name="layer",
        inputs=names([x, *constants]),
        outputs=("y",),
        stride=stride,
        dilation=dilation,
        padding=padding,
        clamp=clamp(rng),
    )
    case = one_op(op, [x, *constants], output((x.shape[0], *out, c_out), dtype, scale, rng), rng)
    return sometimes_signs(case, 0)


def draw_depthwise_conv2d(rng: Rng, dtype: DType) -> Case:
    """Channel multipliers, dilations, batches; and what networks have."""
    if dtype is DType.S8 and rng.random() < 0.7:
        return draw_usual_depthwise(rng)
    kernel, size, stride, padding = _window(rng, 5)
    dilation = pair(rng, 2) if rng.random() < 0.4 else (1, 1)
    size = tuple(max(n, (k - 1) * d + 1) for n, k, d in zip(size, kernel, dilation, strict=True))
    channels = below(rng, 6)
    c_out = channels * int(rng.choice([1, 1, 2, 3]))
    x = activation("x", (int(rng.choice([1, 1, 2])), *size, channels), dtype, rng)
    constants, scale = weighted(rng, dtype, x, (1, *kernel, c_out), 3)
    out = window_output_size(size, kernel, stride, dilation, padding)
    op = DepthwiseConv2D(
        name="layer",
        inputs=names([x, *constants]),
        outputs=("y",),
        stride=stride,
        dilation=dilation,
        padding=padding,
        clamp=clamp(rng),
    )
    return one_op(op, [x, *constants], output((x.shape[0], *out, c_out), dtype, scale, rng), rng)


def draw_fully_connected(rng: Rng, dtype: DType) -> Case:
    """One row and several, flattened inputs, one weight."""
    batch, depth, units = int(rng.choice([1, 1, 3])), int(rng.choice([1, 7, 64, 300])), below(rng, 9)
    keep = bool(rng.random() < 0.2)
    shape = (2, batch, depth) if keep else (batch, 1, depth, 1)
    x = activation("x", shape, dtype, rng)
    constants, scale = weighted(rng, dtype, x, (units, depth), 0)
    op = FullyConnected(
        name="layer", inputs=names([x, *constants]), outputs=("y",), clamp=clamp(rng), keep_num_dims=keep
    )
    out = (2, batch, units) if keep else (batch, units)
    return sometimes_signs(one_op(op, [x, *constants], output(out, dtype, scale, rng), rng), 0)


def _draw_pool(kind: type[AveragePool2D] | type[MaxPool2D], rng: Rng, dtype: DType) -> Case:
    kernel, size, stride, padding = _window(rng, 0 if rng.random() < 0.3 else 3)
    (top, bottom), (left, right) = padding
    fits = (
        (min(top, kernel[0] - 1), min(bottom, kernel[0] - 1)),
        (min(left, kernel[1] - 1), min(right, kernel[1] - 1)),
    )
    x = activation("x", (int(rng.choice([1, 1, 2])), *size, below(rng, 6)), dtype, rng)
    out = window_output_size(size, kernel, stride, (1, 1), fits)
    op = kind(name="layer", inputs=("x",), outputs=("y",), kernel=kernel, stride=stride, padding=fits, clamp=clamp(rng))
    return one_op(op, [x], replace(x, name="y", shape=(x.shape[0], *out, x.shape[3])), rng)


def draw_average_pool2d(rng: Rng, dtype: DType) -> Case:
    """Windows that the padding cuts, and one over all."""
    return _draw_pool(AveragePool2D, rng, dtype)


def draw_max_pool2d(rng: Rng, dtype: DType) -> Case:
    """Windows that the padding cuts, and one over all; dilated ones where each still reads a value."""
    case = _draw_pool(MaxPool2D, rng, dtype)
    op, (x,), (y,) = replace(case.op, dilation=pair(rng, 3)), case.graph.input_tensors, case.graph.output_tensors
    try:
        return one_op(op, [x], replace(y, shape=op.infer([x])[0]), rng)
    except ValueError:
        return case
