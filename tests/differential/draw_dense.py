"""Draws int8 layers as trained networks have them, for the kernels that the small cases of `draw` do not fill:
tens of channels, odd ones too, scales that spread the outputs, RELU with the lowest zero point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf, prod

import numpy as np

from differential.draw_tensors import (
    Case,
    Rng,
    activation,
    clustered_weights,
    names,
    narrow_weights,
    one_op,
    pair,
    sparse_weights,
)
from midge.ir.graph import NO_CLAMP, Clamp, Padding
from midge.ir.tensor import DType, Quant, Shape, Tensor
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant
from midge.numerics.windows import window_output_size
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected

_CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 33)


def fitting_cases(variant: Variant, count: int, seed: int = 0) -> list[Case]:
    """`count` cases that the variant fits; fails when most do not."""
    rng = np.random.default_rng([seed, count])
    drawn = [{**DRAWS, **SCALAR}[variant.op, variant.name](rng) for _ in range(4 * count)]
    fitting = [case for case in drawn if variant.fits(layer_of(case.graph, 0))][:count]
    assert len(fitting) == count
    return [replace(case, graph=replace(case.graph, name=f"{variant.name}_{i}")) for i, case in enumerate(fitting)]


def _constants(rng: Rng, x: Tensor, shape: Shape, most: int | None = None) -> tuple[list[Tensor], float]:
    """Weights, at most `most`, mostly a bias, and the scale that spreads the outputs over a few hundred steps."""
    units, most = shape[0], most or int(rng.choice([127, 127, 40]))
    weights = rng.integers(-most, most + 1, shape).astype(np.int8)
    if rng.random() < 0.3:
        weights[rng.integers(units)] = rng.choice([-most, 0, most])
    scales = np.exp(rng.uniform(-5, -3, units if rng.random() < 0.7 else 1)).astype(np.float32)
    per_channel = len(scales) > 1 or units == 1
    quant = Quant(tuple(map(float, scales)), (0,) * len(scales), 0 if per_channel else None)
    bias = rng.integers(-20_000, 20_001, units).astype(np.int32)
    spread = float(np.median(scales)) * x.q.scale * prod(shape[1:]) ** 0.5 * most * float(np.exp(rng.uniform(-1, 2)))
    constants = [Tensor("w", shape, DType.S8, quant, weights), Tensor("b", (units,), DType.S32, data=bias)]
    return constants[: 1 + int(rng.random() < 0.8)], spread


def _output(rng: Rng, shape: Shape, scale: float) -> tuple[Tensor, Clamp]:
    relu = rng.random() < 0.6
    zero_point = -128 if relu and rng.random() < 0.8 else int(rng.integers(-128, 128))
    clamp = (0.0, float(rng.choice([inf, 6.0, 1.0]))) if relu else NO_CLAMP
    return Tensor("y", shape, DType.S8, Quant.per_tensor(scale, zero_point)), clamp


def _matrix(rng: Rng) -> Case:
    return _rows_of(int(rng.integers(1, 140)), rng)


def draw_long_rows(rng: Rng) -> Case:
    """A matrix product of rows of some hundred to two thousand activations."""
    return _rows_of(int(rng.integers(673, 2000)), rng)


def draw_row_after_relu(rng: Rng) -> Case:
    """A matrix product of one row in which every other activation is zero, of lengths that are unrolled in all ways."""
    return _row(rng, (1, 21, 45, 64, 75, 263, 518), -128, 127)


def draw_row_of_uneven_groups(rng: Rng) -> Case:
    """A matrix product of one row with outputs that do not divide into groups of one size."""
    x = Tensor("x", (1, int(rng.choice((128, 263)))), DType.S8, Quant.per_tensor(0.02, -128))
    return _product(x, int(rng.choice((13, 19, 23))), rng, 127)


def draw_row_of_many_products(rng: Rng) -> Case:
    """A matrix product of one row so large that a few bytes of code are little: it is unrolled most."""
    return _product(Tensor("x", (1, 255), DType.S8, Quant.per_tensor(0.02, -128)), int(rng.choice((30, 40))), rng, 127)


def draw_row_of_small_sums(rng: Rng) -> Case:
    """A matrix product of one row with weights so small that sums fit 16 bits."""
    return _row(rng, (1, 8, 12, 21, 40), int(rng.choice([-128, 5])), 2)


def draw_row_of_large_sums(rng: Rng) -> Case:
    """A matrix product of a row so long that sums need more than 24 bits."""
    return _row(rng, (1304, 1411), int(rng.choice([-128, 5])), 127, most_units=7)


def _row(rng: Rng, depths: tuple[int, ...], zero_point: int, most: int, most_units: int = 24) -> Case:
    x = Tensor("x", (1, int(rng.choice(depths))), DType.S8, Quant.per_tensor(0.02, zero_point))
    case = _product(x, int(rng.integers(1, most_units)), rng, most)
    zeros = rng.random(x.shape) < 0.5
    return Case(case.graph, tuple(np.where(zeros, np.int8(zero_point), value) for value in case.inputs))


def _rows_of(depth: int, rng: Rng) -> Case:
    batch, units = int(rng.choice([1, 1, 2, 3, 5])), int(rng.integers(1, 24))
    return _product(activation("x", (batch, depth), DType.S8, rng), units, rng)


def _product(x: Tensor, units: int, rng: Rng, most: int | None = None) -> Case:
    batch, depth = x.shape
    constants, scale = _constants(rng, x, (units, depth), most)
    y, clamp = _output(rng, (batch, units), scale)
    op = FullyConnected(name="layer", inputs=names([x, *constants]), outputs=("y",), clamp=clamp)
    return one_op(op, [x, *constants], y, rng)


def _convolution(
    rng: Rng,
    kernel: tuple[int, int],
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: Padding,
    channels: tuple[int, ...] = _CHANNELS,
) -> Case:
    c_in, c_out = int(rng.choice(channels)), int(rng.integers(1, 20))
    x = activation("x", (1, *size, c_in), DType.S8, rng)
    constants, scale = _constants(rng, x, (c_out, *kernel, c_in))
    y, clamp = _output(rng, (1, *window_output_size(size, kernel, stride, (1, 1), padding), c_out), scale)
    op = Conv2D(
        name="layer",
        inputs=names([x, *constants]),
        outputs=("y",),
        stride=stride,
        dilation=(1, 1),
        padding=padding,
        clamp=clamp,
    )
    return one_op(op, [x, *constants], y, rng)


def _pointwise(rng: Rng) -> Case:
    stride = (1, 1) if rng.random() < 0.6 else pair(rng, 3)
    return _convolution(rng, (1, 1), pair(rng, 7), stride, ((0, 0), (0, 0)))


def draw_one_channel(rng: Rng) -> Case:
    """A small window over an image of one channel."""
    kernel, stride = pair(rng, 4), pair(rng, 2)
    top, bottom, left, right = rng.integers(0, 3, 4).tolist()
    size = (kernel[0] + int(rng.integers(0, 12)), kernel[1] + int(rng.integers(0, 12)))
    return _convolution(rng, kernel, size, stride, ((top, bottom), (left, right)), (1,))


def draw_first_layer(rng: Rng) -> Case:
    """Windows that stay inside an image with one or a few channels, a hundred of them or so."""
    kernel, stride = pair(rng, 5), pair(rng, 2)
    size = (kernel[0] + stride[0] * int(rng.integers(7, 12)), kernel[1] + stride[1] * int(rng.integers(7, 12)))
    return _convolution(rng, kernel, size, stride, ((0, 0), (0, 0)), (1, 1, 3))


def _window(rng: Rng) -> Case:
    kernel, stride = pair(rng, 5), pair(rng, 3)
    top, bottom, left, right = rng.integers(0, 4, 4).tolist() if rng.random() < 0.7 else [0, 0, 0, 0]
    size = (kernel[0] + int(rng.integers(0, 8)), kernel[1] + int(rng.integers(0, 8)))
    return _convolution(rng, kernel, size, stride, ((top, bottom), (left, right)))


def _winograd(rng: Rng) -> Case:
    around = [[0] * 4, [1] * 4, rng.integers(0, 3, 4).tolist()][rng.integers(3)]
    size, channels = (3 + int(rng.integers(0, 10)), 3 + int(rng.integers(0, 10))), (*_CHANNELS, 40)
    case = _convolution(rng, (3, 3), size, (1, 1), ((around[0], around[1]), (around[2], around[3])), channels)
    x, w, *rest = (case.graph.tensors[name] for name in case.op.inputs)
    batch, y = int(rng.choice([1, 1, 2])), case.graph.output_tensors[0]
    many, out = replace(x, shape=(batch, *x.shape[1:])), replace(y, shape=(batch, *y.shape[1:]))
    return one_op(case.op, [many, w, *rest], out, rng)


def draw_whole_tiles(rng: Rng) -> Case:
    """A 3x3 window over an image without a border, of whole words, that tiles of 4x4 outputs fill."""
    size = (6 + 4 * int(rng.integers(0, 2)), 6 + 4 * int(rng.integers(0, 2)))
    return _convolution(rng, (3, 3), size, (1, 1), ((0, 0), (0, 0)), (4, 8, 16))


def _packed(draw: Callable[[Rng], Case]) -> Callable[[Rng], Case]:
    """The same layers with weights of few bits or few values, and a scale that spreads what sums these give."""

    def drawn(rng: Rng) -> Case:
        case = draw(rng)
        x, w, *rest = (case.graph.tensors[name] for name in case.op.inputs)
        y = case.graph.output_tensors[0]
        assert w.data is not None
        if rng.random() < 0.4:
            few = clustered_weights(w, rng, (2, 3, 4, 12, 16))
        else:
            few = narrow_weights(w, 0, rng, most_gain=6 if rng.random() < 0.25 else 1)
        assert few.data is not None
        shrink = max(float(np.abs(few.data).mean()), 0.1) / max(float(np.abs(w.data).mean()), 1)
        quant = Quant.per_tensor(2 * y.q.scale * shrink, y.q.zero_point)
        biases = [replace(b, data=np.asarray(b.data) // 16) for b in rest]
        return one_op(case.op, [x, few, *biases], replace(y, quant=quant), rng)

    return drawn


def _sparse(draw: Callable[[Rng], Case], lanes: int = 4) -> Callable[[Rng], Case]:
    """The same layers with vectors of zeros, and a scale that spreads what sums these give."""

    def drawn(rng: Rng) -> Case:
        case = draw(rng)
        x, w, *rest = (case.graph.tensors[name] for name in case.op.inputs)
        y, few = case.graph.output_tensors[0], sparse_weights(w, rng, lanes)
        share = max(float(np.mean(np.asarray(few.data) != 0)), 0.01) ** 0.5
        quant = Quant.per_tensor(y.q.scale * share, y.q.zero_point)
        return one_op(case.op, [x, few, *rest], replace(y, quant=quant), rng)

    return drawn


DRAWS: Mapping[tuple[str, str], Callable[[Rng], Case]] = {
    ("fully_connected", "dsp"): _matrix,
    ("conv2d", "dsp_pointwise"): _pointwise,
    ("conv2d", "dsp_window"): _window,
    ("conv2d", "dsp_winograd"): _winograd,
    ("fully_connected", "dsp_packed"): _packed(_matrix),
    ("conv2d", "dsp_packed_pointwise"): _packed(_pointwise),
    ("conv2d", "dsp_packed_window"): _packed(_window),
    ("fully_connected", "dsp_sparse"): _sparse(_matrix),
    ("fully_connected", "dsp_sparse_twos"): _sparse(_matrix, 2),
    ("conv2d", "dsp_sparse_pointwise"): _sparse(_pointwise),
    ("conv2d", "dsp_sparse_window"): _sparse(_window),
}
# The same for cores without SIMD, whose requantization is another one.
SCALAR: Mapping[tuple[str, str], Callable[[Rng], Case]] = {
    ("conv2d", f"{core}_winograd"): _winograd for core in ("armv6m", "armv7m", "riscv")
}
