"""Bounds are exact where one operator reads independent values: compared with every input that there can be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midge.ir.channels import Range
from midge.ir.graph import NO_CLAMP, Op, Padding
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.numerics.requantize import Requantization
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.intervals import regrouped, requantized_range
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.sub import Sub

X, Y = Quant.per_tensor(0.05, 3), Quant.per_tensor(0.4, -20)
# Two values for each of the two channels: the ends of their ranges.
ENDS = ((-128, -1), (90, 2))
RANGE: Range = (np.array([-128, -1]), np.array([90, 2]))


def every_input(shape: tuple[int, ...]) -> Array:
    """All tensors of `shape`, channels last, that hold nothing but ENDS, stacked along the first dimension."""
    places = [(ENDS[0][c], ENDS[1][c]) for _ in range(int(np.prod(shape[:-1]))) for c in range(shape[-1])]
    return np.array(list(product(*places)), np.int8).reshape(-1, *shape[1:])


def observed(op: Op, inputs: list[Tensor], output: Tensor, values: list[Array]) -> Range:
    (found,) = op.evaluate(inputs, [output], values)
    rows = found.reshape(-1, found.shape[-1])
    return rows.min(axis=0), rows.max(axis=0)


def assert_exact(found: Range, expected: Range) -> None:
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("padding", [((0, 0), (0, 0)), ((1, 0), (0, 1)), ((2, 0), (0, 0))])
@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D])
def test_the_bounds_of_a_convolution_are_reached(kind: type[Op], padding: Padding) -> None:
    random = np.random.default_rng(5)
    shape = (4, 2, 2, 2) if kind is Conv2D else (1, 2, 2, 4)
    weights = random.integers(-40, 41, shape).astype(np.int8)
    bias = random.integers(-900, 900, 4).astype(np.int32)
    quant = Quant((0.01, 0.02, 0.05, 0.002), (0, 0, 0, 0), 0 if kind is Conv2D else 3)
    x = every_input((1, 2, 2, 2))
    height, width = (2 + sum(p) - 1 for p in padding)
    inputs = [
        Tensor("x", (1, 2, 2, 2), DType.S8, X),
        Tensor("w", shape, DType.S8, quant, weights),
        Tensor("b", (4,), DType.S32, None, bias),
    ]
    output = Tensor("y", (1, height, width, 4), DType.S8, Y)
    names = {"name": "op", "inputs": ("x", "w", "b"), "outputs": ("y",)}
    where = {"stride": (1, 1), "dilation": (1, 1), "padding": padding, "clamp": NO_CLAMP}
    op = kind(**names, **where)  # type: ignore[arg-type]
    ranges = [RANGE, (weights, weights), (bias, bias)]
    assert_exact(op.intervals(inputs, [output], ranges)[0], observed(op, inputs, output, [x, weights, bias]))


def test_the_bounds_of_a_matrix_product_over_a_flat_image_are_reached() -> None:
    weights = np.random.default_rng(6).integers(-128, 128, (3, 8)).astype(np.int8)
    inputs = [
        Tensor("x", (1, 2, 2, 2), DType.S8, X),
        Tensor("w", (3, 8), DType.S8, Quant.per_tensor(0.01, 0), weights),
    ]
    op = FullyConnected(name="op", inputs=("x", "w"), outputs=("y",), clamp=NO_CLAMP)
    x = every_input((1, 2, 2, 2))
    output = Tensor("y", (1, 3), DType.S8, Y)
    found = op.intervals(inputs, [output], [RANGE, (weights, weights)])[0]
    assert_exact(found, observed(op, inputs, Tensor("y", (len(x), 3), DType.S8, Y), [x, weights]))


@pytest.mark.parametrize("kind", [Sub, Mul])
def test_the_bounds_of_two_operands_are_reached(kind: type[Op]) -> None:
    x, y = (Tensor(name, (1, 2), DType.S8, quant) for name, quant in (("x", X), ("y", Quant.per_tensor(0.1, -7))))
    op = kind(name="op", inputs=("x", "y"), outputs=("z",), clamp=NO_CLAMP)  # type: ignore[call-arg]
    output = Tensor("z", (1, 2), DType.S8, Y)
    each = every_input((1, 2))
    left, right = (v.reshape(-1, 2) for v in (np.repeat(each, len(each), axis=0), np.tile(each, (len(each), 1))))
    assert_exact(op.intervals([x, y], [output], [RANGE, RANGE])[0], observed(op, [x, y], output, [left, right]))


def test_a_mean_over_channels_has_the_bounds_of_all_of_them() -> None:
    op = Mean(name="op", inputs=("x",), outputs=("y",), axes=(2,), keep_dims=False)
    x, y = Tensor("x", (1, 1, 2), DType.S8, X), Tensor("y", (1, 1), DType.S8, X)
    ((low, high),) = op.intervals([x], [y], [RANGE])
    assert (low.tolist(), high.tolist()) == ([-128], [90])


@settings(max_examples=300, deadline=None)
@given(
    sums=st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=2, max_size=40).map(sorted),
    multiplier=st.integers(0, (1 << 31) - 1),
    shift=st.integers(-31, 3),
    zero_point=st.integers(-128, 127),
)
def test_requantization_never_decreases_and_its_bounds_are_reached(
    sums: list[int], multiplier: int, shift: int, zero_point: int
) -> None:
    p = Requantization(np.array([multiplier]), np.array([shift]), zero_point, -128, 127)
    if shift <= 0:
        outputs = p.apply(np.array(sums))
        assert (np.diff(outputs) >= 0).all()
        found = requantized_range((np.array(sums[:1]), np.array(sums[-1:])), p)
        assert (found[0][0], found[1][0]) == (outputs[0], outputs[-1])
    low, high = requantized_range((np.array(sums[:1]), np.array(sums[-1:])), p)
    assert ((p.apply(np.array(sums)) >= low) & (p.apply(np.array(sums)) <= high)).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 12])
def test_channels_of_a_reshape_hold_what_their_elements_hold(channels: int) -> None:
    values = np.array([-5, 7, 0, 30, 2, -9])
    found = regrouped((values, values), channels)
    elements = np.tile(values, 4).reshape(-1, channels)
    assert_exact(found, (elements.min(axis=0), elements.max(axis=0)))
