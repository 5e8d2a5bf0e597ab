"""What exporters write as many operators becomes the one that it is: GELU, HARD_SWISH, LAYER_NORMALIZATION."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from midge.importers.onnx import import_onnx
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.passes import CANONICALIZE, run_passes
from midge.quantize.int8_graph import quantize_graph
from midge.quantize.ranges import Range
from unit.importers.onnx_file import node, onnx_model

F32 = np.float32
SHAPE = (1, 3, 16)


def constants(**values: float) -> dict[str, Any]:
    return {name: np.array(value, F32) for name, value in values.items()}


def gelu_divided() -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["a"]),
        node("Mul", ["x", "a"], ["m"]),
        node("Mul", ["m", "half"], ["y"]),
    ]
    return nodes, constants(root=sqrt(2), one=1, half=0.5)


def gelu_halved_first() -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Mul", ["x", "half"], ["h"]),
        node("Mul", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["one", "e"], ["a"]),
        node("Mul", ["h", "a"], ["y"]),
    ]
    return nodes, constants(root=sqrt(0.5), one=1, half=0.5)


def gelu_by_tanh() -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Mul", ["x", "x"], ["x2"]),
        node("Mul", ["x2", "x"], ["x3"]),
        node("Mul", ["x3", "c"], ["cx3"]),
        node("Add", ["x", "cx3"], ["s"]),
        node("Mul", ["s", "k"], ["t"]),
        node("Tanh", ["t"], ["th"]),
        node("Add", ["th", "one"], ["a"]),
        node("Mul", ["a", "half"], ["h"]),
        node("Mul", ["x", "h"], ["y"]),
    ]
    return nodes, constants(c=0.044715, k=sqrt(2 / pi), one=1, half=0.5)


def hard_swish_clipped() -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Add", ["x", "three"], ["a"]),
        node("Clip", ["a", "zero", "six"], ["c"]),
        node("Mul", ["x", "c"], ["m"]),
        node("Div", ["m", "six"], ["y"]),
    ]
    return nodes, constants(three=3, zero=0, six=6)


def hard_swish_by_sigmoid() -> tuple[list[Any], dict[str, Any]]:
    return [node("HardSigmoid", ["x"], ["s"], alpha=1 / 6, beta=0.5), node("Mul", ["s", "x"], ["y"])], {}


def sigmoid_written_out() -> tuple[list[Any], dict[str, Any]]:
    nodes = [
        node("Neg", ["x"], ["n"]),
        node("Exp", ["n"], ["e"]),
        node("Add", ["e", "one"], ["a"]),
        node("Reciprocal", ["a"], ["y"]),
    ]
    return nodes, constants(one=1)


def almost_hard_swish() -> tuple[list[Any], dict[str, Any]]:
    nodes, values = hard_swish_clipped()
    return nodes, {**values, "three": np.array(2.5, F32)}


def canonical(made: tuple[list[Any], dict[str, Any]]) -> tuple[Graph, Any]:
    model = onnx_model(made[0], {"x": SHAPE}, ["y"], made[1])
    return run_passes(import_onnx(model.SerializeToString(), "net"), CANONICALIZE), model


def assert_equals_reference(graph: Graph, model: Any, x: Array) -> None:
    wanted = ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(interpret(graph, [x])[0], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (gelu_divided, ["gelu"]),
        (gelu_halved_first, ["gelu"]),
        (gelu_by_tanh, ["gelu"]),
        (hard_swish_clipped, ["hard_swish"]),
        (hard_swish_by_sigmoid, ["hard_swish"]),
        (sigmoid_written_out, ["logistic"]),
        (almost_hard_swish, ["add", "mul", "div"]),
    ],
)
def test_a_function_is_known_by_its_values(
    make: Callable[[], tuple[list[Any], dict[str, Any]]], kinds: list[str]
) -> None:
    graph, model = canonical(make())
    assert [op.kind for op in graph.ops] == kinds
    if kinds == ["gelu"]:
        assert getattr(graph.ops[0], "approximate", None) == (make is gelu_by_tanh)
    assert_equals_reference(graph, model, np.random.default_rng(0).normal(0, 3, SHAPE).astype(F32))


def test_what_also_serves_elsewhere_is_still_computed() -> None:
    nodes, values = hard_swish_clipped()
    model = onnx_model([*nodes, node("Add", ["c", "y"], ["z"])], {"x": SHAPE}, ["z"], values)
    graph = run_passes(import_onnx(model.SerializeToString(), "net"), CANONICALIZE)
    assert [op.kind for op in graph.ops] == ["add", "hard_swish", "add"]
    x = np.random.default_rng(0).normal(0, 3, SHAPE).astype(F32)
    np.testing.assert_allclose(
        interpret(graph, [x])[0], ReferenceEvaluator(model).run(None, {"x": x})[0], rtol=1e-4, atol=1e-4
    )


def normalization(style: str) -> tuple[list[Any], dict[str, Any]]:
    rng = np.random.default_rng(3)
    values = {"eps": np.array(1e-3, F32), "two": np.array(2, F32), "g": rng.normal(1, 1, 16).astype(F32)}
    values["b"] = rng.normal(0, 1, 16).astype(F32)
    if style == "one node":
        return [node("LayerNormalization", ["x", "g", "b"], ["y"], epsilon=1e-3)], values
    squares = node("Pow", ["d", "two"], ["s"]) if style == "pow" else node("Mul", ["d", "d"], ["s"])
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[-1]),
        node("Sub", ["x", "m"], ["d"]),
        squares,
        node("ReduceMean", ["s"], ["v"], axes=[-1]),
        node("Add", ["v", "eps"], ["a"]),
        node("Sqrt", ["a"], ["r"]),
        node("Div", ["d", "r"], ["n"]),
        node("Mul", ["n", "g"], ["scaled"]),
        node("Add", ["scaled", "b"], ["y"]),
    ]
    return nodes, values


@pytest.mark.parametrize("style", ["one node", "pow", "product"])
def test_a_layer_normalization_is_one_operator(style: str) -> None:
    graph, model = canonical(normalization(style))
    assert [op.kind for op in graph.ops] == ["layer_normalization"]
    assert_equals_reference(graph, model, np.random.default_rng(1).normal(2, 3, SHAPE).astype(F32))


def test_a_layer_normalization_in_int8_stays_near_the_float_one() -> None:
    graph, _ = canonical(normalization("pow"))
    x = np.random.default_rng(1).normal(2, 3, SHAPE).astype(F32)
    wanted = interpret(graph, [x])[0]
    ends = {n: Range(float(v.min()), float(v.max())) for n, v in (("x", x), ("y", wanted))}
    found = interpret(quantize_graph(graph, ends, float_io=True), [x])[0]
    step = (wanted.max() - wanted.min()) / 255
    assert np.abs(found - wanted).max() < 4 * step


def test_a_mean_over_other_axes_is_no_layer_normalization() -> None:
    nodes, values = normalization("pow")
    nodes[0] = node("ReduceMean", ["x"], ["m"], axes=[1])
    graph, model = canonical((nodes, values))
    assert "layer_normalization" not in [op.kind for op in graph.ops]
    assert_equals_reference(graph, model, np.random.default_rng(1).normal(2, 3, SHAPE).astype(F32))
