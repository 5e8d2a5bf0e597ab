"""A depthwise convolution of one channel becomes a convolution with the same integers."""

from __future__ import annotations

from math import inf

import numpy as np

from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.passes import one_channel_convolutions, run_passes
from small_graphs import graph, int8s


def one_depthwise(channels: int) -> Graph:
    rng = np.random.default_rng(0)
    out = 3 * channels
    quant = Quant(tuple(rng.uniform(0.001, 0.01, out).tolist()), (0,) * out, 3)
    weights = int8s("w", (1, 3, 2, out), quant, rng.integers(-127, 128, (1, 3, 2, out)))
    bias = Tensor("b", (out,), DType.S32, data=rng.integers(-999, 999, out).astype(np.int32))
    op = DepthwiseConv2D(
        name="layer",
        inputs=("x", "w", "b"),
        outputs=("y",),
        stride=(2, 1),
        dilation=(1, 2),
        padding=((1, 0), (0, 1)),
        clamp=(0.0, inf),
    )
    x = int8s("x", (1, 7, 6, channels), Quant.per_tensor(0.05, -9))
    y = int8s("y", (1, 3, 5, out), Quant.per_tensor(0.03, -128))
    return graph(["x"], ["y"], [x, weights, bias, y], [op])


def test_one_channel_becomes_a_convolution_with_the_same_outputs() -> None:
    g = one_depthwise(1)
    made = run_passes(g, [one_channel_convolutions])
    assert [op.kind for op in made.ops] == ["conv2d"]
    x = np.random.default_rng(1).integers(-128, 128, (1, 7, 6, 1)).astype(np.int8)
    assert np.array_equal(interpret(made, [x])[0], interpret(g, [x])[0])


def test_two_channels_stay_depthwise() -> None:
    g = one_depthwise(2)
    assert one_channel_convolutions(g).ops == g.ops
