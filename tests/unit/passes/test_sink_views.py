"""Views give way to elementwise operators: the same values, and one-dimensional convolutions take up what follows."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import Array, Quant
from midge.ir.verify import verify
from midge.ops.add import Add
from midge.ops.relu import Relu
from midge.ops.reshape import Reshape
from midge.passes import CANONICALIZE, run_passes, sink_views
from small_graphs import floats, graph, int8s, pointwise

DRAW = np.random.default_rng(1)


def conv1d(addend: Array, flat: tuple[int, ...] = (1, 6, 4)) -> Graph:
    """A convolution between views, an addition and a clamp; `flat` is the shape in which they see its outputs."""
    tensors = [
        floats("x", (1, 6, 3)),
        floats("x4", (1, 1, 6, 3)),
        floats("w", (4, 1, 1, 3), DRAW.normal(size=(4, 1, 1, 3))),
        floats("c", (1, 1, 6, 4)),
        floats("f", flat),
        floats("a", addend.shape, addend),
        floats("s", flat),
        floats("y", flat),
    ]
    ops = [
        Reshape(name="in", inputs=("x",), outputs=("x4",), shape=(1, 1, 6, 3)),
        pointwise("conv", ("x4", "w"), "c"),
        Reshape(name="flat", inputs=("c",), outputs=("f",), shape=flat),
        Add(name="add", inputs=("f", "a"), outputs=("s",), clamp=NO_CLAMP),
        Relu(name="relu", inputs=("s",), outputs=("y",), clamp=(0.0, inf)),
    ]
    return graph(["x"], ["y"], tensors, ops)


def kinds(g: Graph) -> list[str]:
    return [op.kind for op in g.ops]


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4), (1, 1, 1)])
def test_a_one_dimensional_convolution_takes_up_its_bias_and_its_activation(shape: tuple[int, ...]) -> None:
    before = conv1d(DRAW.normal(size=shape).astype(np.float32))
    after = run_passes(before, CANONICALIZE)
    assert kinds(after) == ["reshape", "conv2d", "reshape"]
    x = DRAW.normal(size=(1, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(interpret(after, [x])[0], interpret(before, [x])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "flat"),
    [((1, 6, 4), (1, 6, 4)), ((6, 1), (1, 6, 4)), ((2,), (1, 12, 2)), ((24,), (1, 1, 24))],
    ids=str,
)
def test_a_view_stays_where_the_constant_varies_otherwise(shape: tuple[int, ...], flat: tuple[int, ...]) -> None:
    g = conv1d(DRAW.normal(size=shape).astype(np.float32), flat)
    assert kinds(sink_views(g))[:4] == ["reshape", "conv2d", "reshape", "add"]


def test_a_view_that_others_read_stays() -> None:
    g = conv1d(np.zeros(4, np.float32))
    g = verify(Graph(g.name, g.inputs, (*g.outputs, "f"), g.tensors, g.ops))
    assert sink_views(g).ops == g.ops


def test_integers_stay_as_they_are() -> None:
    q, wider = Quant.per_tensor(0.05, -3), Quant.per_tensor(0.1, -128)
    tensors = [
        int8s("x", (1, 6, 3), q),
        int8s("y2", (1, 1, 6, 3), q),
        int8s("f", (1, 6, 3), q),
        int8s("y", (1, 6, 3), wider),
        int8s("x4", (1, 1, 6, 3), q),
    ]
    ops = [
        Reshape(name="in", inputs=("x",), outputs=("x4",), shape=(1, 1, 6, 3)),
        Add(name="twice", inputs=("x4", "x4"), outputs=("y2",), clamp=NO_CLAMP),
        Reshape(name="flat", inputs=("y2",), outputs=("f",), shape=(1, 6, 3)),
        Relu(name="relu", inputs=("f",), outputs=("y",), clamp=(0.0, inf)),
    ]
    before = graph(["x"], ["y"], tensors, ops)
    after = verify(sink_views(before))
    assert kinds(after) == ["reshape", "add", "relu", "reshape"]
    values = DRAW.integers(-128, 128, (1, 6, 3)).astype(np.int8)
    np.testing.assert_array_equal(interpret(after, [values])[0], interpret(before, [values])[0], strict=True)
