"""Float networks that count, index and compare: they quantize, and what is whole or true in them stays exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from differential.draw_tensors import Case
from differential.programs import run_on_host, write_case, write_main
from midge.importers import Imported
from midge.importers.onnx import import_onnx
from midge.interpreter import interpret, interpret_all
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.numerics.fixed_point import quantize_array
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.pipeline import compile_model
from midge.quantize.model import quantize_with
from midge.settings import Rounding, Settings
from unit.importers.onnx_file import node, onnx_file

RNG = np.random.default_rng(11)
TABLE = RNG.normal(size=(700, 8)).astype(np.float32)
WEIGHTS = RNG.normal(size=(8, 4)).astype(np.float32)
INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT


def _network(name: str, nodes: list[object], constants: dict[str, Array], kind: int = FLOAT, size: int = 6) -> Graph:
    model = onnx_file(nodes, {"x": [1, size]}, ["y"], constants, kind=kind)
    return run_passes(import_onnx(model, name), CANONICALIZE)


def _embedding(name: str, first: list[object], kind: int) -> Graph:
    """A table of 700 rows, which 8 bits cannot index, read one row after the index that is given."""
    nodes = [
        *first,
        node("Add", ["index", "one"], ["next"]),
        node("Gather", ["table", "next"], ["rows"]),
        node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "w"], ["y"]),
    ]
    constants = {"one": np.array(1, np.int64), "table": TABLE, "w": WEIGHTS, "thousand": np.array(1000, np.float32)}
    return _network(name, nodes, constants, kind)


def indices_as_floats() -> Graph:
    """A float input times 1,000 becomes an index."""
    first = [node("Mul", ["x", "thousand"], ["scaled"]), node("Cast", ["scaled"], ["index"], to=INT64)]
    return _embedding("floats", first, FLOAT)


def indices() -> Graph:
    """The input is the index."""
    return _embedding("whole", [node("Identity", ["x"], ["index"])], INT64)


def truths() -> Graph:
    """Values where they are above a bound, and how often that is."""
    nodes = [
        node("MatMul", ["x", "w"], ["l"]),
        node("Greater", ["l", "bound"], ["above"]),
        node("Where", ["above", "l", "bound"], ["kept"]),
        node("Cast", ["above"], ["counted"], to=FLOAT),
        node("Add", ["kept", "counted"], ["y"]),
    ]
    return _network("truths", nodes, {"w": WEIGHTS, "bound": np.array(0.3, np.float32)}, size=8)


def places() -> Graph:
    """Where the largest value is, as a number."""
    nodes = [
        node("MatMul", ["x", "w"], ["l"]),
        node("ArgMax", ["l"], ["place"], axis=1, keepdims=1),
        node("Cast", ["place"], ["number"], to=FLOAT),
        node("Add", ["l", "number"], ["y"]),
    ]
    return _network("places", nodes, {"w": WEIGHTS}, size=8)


NETWORKS: list[tuple[Callable[[], Graph], Callable[[], Array]]] = [
    (indices_as_floats, lambda: (RNG.random((1, 6)) * 0.698).astype(np.float32)),
    (indices, lambda: RNG.integers(0, 699, (1, 6))),
    (truths, lambda: RNG.normal(size=(1, 8)).astype(np.float32)),
    (places, lambda: RNG.normal(size=(1, 8)).astype(np.float32)),
]


def _given(graph: Graph, value: Array) -> Array:
    (x,) = graph.input_tensors
    return value if x.quant is None else quantize_array(value, x.quant, x.dtype)


def _quantized(graph: Graph, samples: list[list[Array]], rounding: Rounding = "nearest") -> Graph:
    return run_passes(quantize_with(graph, Settings(rounding=rounding), samples), OPTIMIZE)


@pytest.mark.parametrize(("make", "draw"), NETWORKS)
@pytest.mark.parametrize("rounding", ["nearest", "adaround"])
def test_a_network_of_whole_numbers_and_truths_quantizes(
    make: Callable[[], Graph], draw: Callable[[], Array], rounding: Rounding
) -> None:
    graph = make()
    samples = [[draw()] for _ in range(40)]
    made = _quantized(graph, samples, rounding)
    assert not made.is_float
    (y,) = made.output_tensors
    far = []
    for (value,) in samples:
        (exact,) = interpret(graph, [value])
        (found,) = interpret(made, [_given(made, value)])
        far.append(np.abs((found.astype(np.float64) - y.q.zero_point) * y.q.scale - exact).max())
    # Next to a bound, or where two are almost equal, a truth may be another.
    assert np.median(far) < 3 * y.q.scale


@pytest.mark.parametrize(("make", "draw"), NETWORKS[:2])
def test_indices_are_those_of_the_float_network(make: Callable[[], Graph], draw: Callable[[], Array]) -> None:
    graph = make()
    samples = [[draw()] for _ in range(20)]
    made = _quantized(graph, samples)
    assert made.input_tensors[0].dtype is graph.input_tensors[0].dtype
    for (value,) in samples:
        exact, found = interpret_all(graph, [value]), interpret_all(made, [value])
        whole = [name for name, t in made.tensors.items() if t.dtype is DType.S32 and name in exact]
        assert whole
        for name in whole:
            np.testing.assert_array_equal(found[name], exact[name])


def test_such_networks_are_the_same_as_c(tmp_path: Path) -> None:
    rendered, wanted = [], []
    for number, (make, draw) in enumerate(NETWORKS):
        samples = [[draw()] for _ in range(20)]
        made = _quantized(make(), samples)
        named = Imported(replace(made, name=f"case{number}"), Path("a.onnx"), "0" * 64, "onnx")
        compiled = compile_model(named, Settings(precision="as-is"))
        case = Case(compiled.graph, (_given(made, draw()),))
        rendered.append(write_case(case, compiled.program, tmp_path))
        wanted.append(interpret(made, case.inputs))
    write_main(rendered, tmp_path)
    for got, want in zip(run_on_host(rendered, tmp_path), wanted, strict=True):
        np.testing.assert_array_equal(got[0], want[0])
