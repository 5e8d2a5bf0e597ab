"""Draws int8 depthwise layers as networks have them: what kernels with narrow conditions are made for."""

from __future__ import annotations

from math import inf

import numpy as np

from differential.draw_tensors import Case, Rng, activation, below, names, one_op, values
from midge.ir.graph import NO_CLAMP, Padding
from midge.ir.tensor import DType, Quant, Tensor
from midge.numerics.windows import window_output_size
from midge.ops.depthwise_conv2d import DepthwiseConv2D

# Windows of convolutions in space and in time.
_KERNELS = ((3, 3), (3, 3), (3, 3), (3, 3), (3, 1), (10, 1), (1, 4), (5, 5), (2, 3))
_CHANNELS = (1, 3, 4, 5, 8, 13, 64)


def draw_usual_depthwise(rng: Rng) -> Case:
    """Padding of at most one pixel on a side, one output per channel, mostly RELU at an output's lowest value."""
    kernel = _KERNELS[rng.integers(len(_KERNELS))]
    channels = int(rng.choice(_CHANNELS))
    height, width = (int(k + rng.integers(0, 14)) for k in kernel)
    if kernel[1] == 1 and rng.random() < 0.7:
        width = 1
    stride = (below(rng, 2), below(rng, 2)) if rng.random() < 0.3 else (1 + int(rng.random() < 0.4),) * 2
    padding = _padding(rng) if kernel == (3, 3) else ((0, 0), (0, 0))
    x = activation("x", (1, height, width, channels), DType.S8, rng)
    weights, bias, scale = _weighted(rng, x, (1, *kernel, channels))
    out = window_output_size((height, width), kernel, stride, (1, 1), padding)
    cut = rng.random() < 0.7
    op = DepthwiseConv2D(
        name="layer",
        inputs=names([x, weights, bias]),
        outputs=("y",),
        stride=stride,
        dilation=(1, 1),
        padding=padding,
        clamp=(0.0, inf) if cut else NO_CLAMP,
    )
    quant = Quant.per_tensor(scale, -128 if cut else int(rng.integers(-128, 128)))
    return one_op(op, [x, weights, bias], Tensor("y", (1, *out, channels), DType.S8, quant), rng)


def _padding(rng: Rng) -> Padding:
    sides = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1], rng.integers(0, 2, 4).tolist()][rng.integers(4)]
    return ((sides[0], sides[1]), (sides[2], sides[3]))


def _weighted(rng: Rng, x: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, float]:
    """Weights whose channels differ in scale, one now and then constant; a bias; and the output's scale."""
    channels = shape[-1]
    scales = np.exp2(rng.uniform(-10, -4, channels)).astype(np.float32)
    quant = Quant(tuple(map(float, scales)), (0,) * channels, 3)
    weights = Tensor("w", shape, DType.S8, quant)
    data = values(weights, rng) * (rng.random(channels) < 0.9).astype(np.int8)
    reach = int(rng.choice([100, 20_000, 150_000]))
    bias = Tensor(
        "b", (channels,), DType.S32, data=rng.integers(-reach, reach, channels, endpoint=True).astype(np.int32)
    )
    scale = float(scales.max()) * x.q.scale * float(np.exp2(rng.uniform(1.5, 9)))
    return Tensor("w", shape, DType.S8, quant, data), bias, scale
