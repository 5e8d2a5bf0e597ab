"""The interpreter against recorded outputs of TensorFlow Lite's reference kernels, on whole models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.whole_models import DYNAMIC, FLOAT, FLOAT_AGAIN, INT8, INT16, STREAMS
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ops import readers
from midge.ops.document import MATCHES


@pytest.fixture(scope="session")
def models(assets: Path) -> dict[str, dict[str, Any]]:
    """What is recorded of each model, by its name."""
    return {m["name"]: m for m in json.loads((assets / "models" / "models.json").read_text())}


@pytest.mark.parametrize("name", [*INT8, *INT16])
def test_an_integer_model_gives_the_recorded_bytes(name: str, models: dict[str, dict[str, Any]], assets: Path) -> None:
    graph = import_model(assets / models[name]["file"]).graph
    for number, found, expected in _runs(graph, assets / models[name]["npz"]):
        np.testing.assert_array_equal(found, expected, err_msg=f"sample {number}", strict=True)


@pytest.mark.parametrize("name", [*FLOAT, *FLOAT_AGAIN])
def test_a_float_model_stays_within_the_tolerance(name: str, models: dict[str, dict[str, Any]], assets: Path) -> None:
    graph = import_model(assets / models[name]["file"]).graph
    for number, found, expected in _runs(graph, assets / models[name]["npz"]):
        wide = expected.astype(np.float64)
        tolerance = 1e-4 * np.abs(wide).max() + 1e-4 * np.abs(wide)
        assert found.shape == expected.shape
        assert (np.abs(found - wide) <= tolerance).all(), f"sample {number}"


@pytest.mark.parametrize("name", DYNAMIC)
def test_a_model_of_dynamic_range_is_within_a_hundredth(
    name: str, models: dict[str, dict[str, Any]], assets: Path
) -> None:
    graph = import_model(assets / models[name]["file"]).graph
    for number, found, expected in _runs(graph, assets / models[name]["npz"]):
        assert np.abs(found - expected).max() <= 0.01 * np.abs(expected).max(), f"sample {number}"


@pytest.mark.parametrize("name", [*INT8, *INT16, *FLOAT, *FLOAT_AGAIN])
def test_macs_equal_those_counted_from_the_file(name: str, models: dict[str, dict[str, Any]], assets: Path) -> None:
    assert import_model(assets / models[name]["file"]).graph.macs == models[name]["macs"]


def test_every_recorded_model_with_these_operators_and_types_is_tested(models: dict[str, dict[str, Any]]) -> None:
    def can_be_done(model: dict[str, Any]) -> bool:
        done = model["format"] == "tflite" and not model["stateful"] and set(model["ops"]) <= set(readers("TFLITE"))
        return done and not model["hybrid"] and set(model["dtypes"]) <= {"FLOAT32", "INT8", "INT16", "INT32"}

    assert {name for name, model in models.items() if can_be_done(model)} == {*INT8, *INT16, *FLOAT, *FLOAT_AGAIN}


def test_the_page_of_operators_counts_no_more_models_than_match() -> None:
    assert len({*INT8, *INT16, *FLOAT, *FLOAT_AGAIN, *DYNAMIC, *STREAMS}) >= MATCHES["tflite"]


def _runs(graph: Graph, recorded: Path) -> Iterator[tuple[str, Array, Array]]:
    """(sample, found, expected) for each output of each recorded sample."""
    with np.load(recorded) as file:
        arrays = dict(file)
    for kind in (k for k in ("rand", "real") if f"{k}_in0" in arrays):
        inputs = [arrays[f"{kind}_in{i}"] for i in range(len(graph.inputs))]
        outputs = [arrays[f"{kind}_out{i}"] for i in range(len(graph.outputs))]
        for number in range(len(inputs[0])):
            results = interpret(graph, [values[number] for values in inputs])
            for found, expected in zip(results, outputs, strict=True):
                yield f"{kind} {number}", found, expected[number]
