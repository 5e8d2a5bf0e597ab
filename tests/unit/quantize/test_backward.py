"""Gradients through float networks, held against differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.importers import import_model
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array
from midge.numerics.windows import gathered, windows
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.logistic import Logistic
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.mul import Mul
from midge.passes import CANONICALIZE, run_passes
from midge.quantize.backward import can_pull_back, evaluated, through
from midge.quantize.blocks import blocks
from midge.quantize.curvature import curvature
from small_graphs import NO_PADDING, floats, graph

DIGITS = Path(__file__).parents[3] / "examples" / "digits" / "digits.tflite"


@pytest.fixture(scope="module")
def digits() -> Graph:
    return run_passes(import_model(DIGITS).graph, CANONICALIZE)


def _run(network: Graph, ops: list[Op], values: dict[str, Array]) -> dict[str, Array]:
    found = dict(values)
    for op in ops:
        found.update(zip(op.outputs, evaluated(network, op, found), strict=True))
    return found


def _slopes(network: Graph, ops: list[Op], x: Array, direction: Array) -> tuple[float, float]:
    """The change of a random sum of the outputs along `direction`: by differences, and by the gradient."""
    start, end = ops[0].inputs[0], ops[-1].outputs[0]
    values = _run(network, ops, {start: x})
    wanted = np.random.default_rng(3).normal(size=values[end].shape).astype(np.float32)
    step = 1e-3
    ends = [_run(network, ops, {start: (x + s * step * direction).astype(np.float32)})[end] for s in (1, -1)]
    difference = float(((ends[0].astype(np.float64) - ends[1]) * wanted).sum()) / (2 * step)
    return difference, float((through(network, ops, values, end, wanted)[start] * direction).sum())


def test_the_gradient_of_a_network_is_its_slope_for_several_samples_at_once(digits: Graph) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (4, 8, 8, 1)).astype(np.float32)
    ops = [op for op in digits.ops if op.kind != "softmax"]
    by_difference, by_gradient = _slopes(digits, ops, x, rng.normal(size=x.shape).astype(np.float32))
    assert by_gradient == pytest.approx(by_difference, rel=0.05)


@pytest.mark.parametrize(
    "op",
    [
        AveragePool2D(
            name="a",
            inputs=("x",),
            outputs=("y",),
            kernel=(2, 2),
            stride=(2, 1),
            padding=((1, 0), (0, 1)),
            clamp=(-9, 9),
        ),
        MaxPool2D(
            name="m", inputs=("x",), outputs=("y",), kernel=(3, 2), stride=(2, 2), padding=NO_PADDING, clamp=(-9, 9)
        ),
        Logistic(name="l", inputs=("x",), outputs=("y",)),
        Mul(name="q", inputs=("x", "x"), outputs=("y",), clamp=(-np.inf, np.inf)),
    ],
    ids=lambda op: op.kind,
)
def test_the_gradient_of_an_operator_is_its_slope(op: Op) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 5, 6, 4)).astype(np.float32)
    source = floats("x", (1, 5, 6, 4))
    shape = op.infer([source] * len(op.inputs))[0]
    network = graph(["x"], ["y"], [source, floats("y", shape)], [op])
    by_difference, by_gradient = _slopes(network, [op], x, rng.normal(size=x.shape).astype(np.float32))
    assert can_pull_back(network, op)
    assert by_gradient == pytest.approx(by_difference, rel=0.02)


def test_gathering_is_the_adjoint_of_windows() -> None:
    rng = np.random.default_rng(2)
    x, how = rng.normal(size=(2, 7, 6, 3)), ((3, 2), (2, 1), (1, 2), ((1, 0), (2, 1)))
    taken = windows(x, *how, 0)
    parts = rng.normal(size=taken.shape)
    assert float((taken * parts).sum()) == pytest.approx(float((x * gathered(parts, x.shape, *how)).sum()))


def test_layers_around_a_residual_connection_are_one_block(digits: Graph) -> None:
    assert [[op.name for op in block.ops if op.weight_axis] for block in blocks(digits)] == [
        ["stem_relu", "block_depthwise_relu", "block_pointwise_norm"],
        ["head_relu", "logits"],
    ]


def test_curvature_is_the_mean_squared_slope_of_the_log_of_the_answers(digits: Graph) -> None:
    x = np.random.default_rng(4).uniform(0, 1, (1, 8, 8, 1)).astype(np.float32)
    values = _run(digits, list(digits.ops), {digits.inputs[0]: x})
    name = digits.ops[-1].inputs[0]
    p = values[digits.outputs[0]][0].astype(np.float64)
    # The slope of log p_c by logit j is (c == j) - p_j.
    wanted = [(p * ((np.arange(10) == j) - p[j]) ** 2).sum() for j in range(10)]
    np.testing.assert_allclose(curvature(digits, values, [name], 0)[name][0], wanted, rtol=1e-4, atol=1e-7)


def test_an_operator_without_a_gradient_is_not_in_a_block(digits: Graph) -> None:
    softmax = digits.ops[-1]
    ops = [*digits.ops[:-1], replace(softmax, outputs=("p",)), replace(softmax, name="again", inputs=("p",))]
    doubled = digits.with_ops(ops, [floats("p", (1, 10))])
    assert all(op.kind != "softmax" for block in blocks(doubled) for op in block.ops)
