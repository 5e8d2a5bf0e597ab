"""Block reconstruction: what it may change, and that it brings the answers nearer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.data import load_data
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.accuracy import real_values
from midge.passes import CANONICALIZE, run_passes
from midge.quantize.block_learning import Learnt, learn
from midge.quantize.model import Rounded, quantize_with, rounded
from midge.quantize.quality import as_wanted
from midge.quantize.reconstruct import reconstruct
from midge.quantize.widths import LIMITS
from midge.settings import Settings, Width

DIGITS = Path(__file__).parents[3] / "examples" / "digits"


@pytest.fixture(scope="module")
def digits() -> tuple[Graph, list[list[Array]], list[list[Array]]]:
    """The network, what it is calibrated on, and other samples."""
    graph = run_passes(import_model(DIGITS / "digits.tflite").graph, CANONICALIZE)
    x = load_data(DIGITS / "digits.npz", graph).inputs_for(graph.input_tensors[0])
    return graph, [[v] for v in x[:16]], [[v] for v in x[100:130]]


def _error(graph: Graph, quantized: Graph, samples: list[list[Array]]) -> float:
    source, output = quantized.input_tensors[0], quantized.output_tensors[0]
    total = 0.0
    for (x,) in samples:
        found = real_values(output, interpret(quantized, [as_wanted(source, x)])[0])
        total += float(((found - interpret(graph, [x])[0]) ** 2).sum())
    return total


@pytest.mark.parametrize("width", ["int4", "ternary"])
def test_narrow_weights_come_nearer_to_float_on_samples_that_were_not_seen(
    digits: tuple[Graph, list[list[Array]], list[list[Array]]], width: Width
) -> None:
    graph, seen, unseen = digits
    nearest = quantize_with(graph, Settings(weights=width), seen)
    made = reconstruct(nearest, graph, seen, lambda name: width, 0, iterations=60)
    assert _error(graph, made, unseen) < 0.7 * _error(graph, nearest, unseen)
    low, high = LIMITS[width]
    for op in made.ops:
        if op.weight_axis:
            x, weights, bias = made.inputs_of(op)
            assert low <= np.asarray(weights.data).min()
            assert np.asarray(weights.data).max() <= high
            np.testing.assert_allclose(bias.q.scales, x.q.scale * np.asarray(weights.q.scales), rtol=1e-6)


def test_float_inputs_and_outputs_are_taken_as_they_are(
    digits: tuple[Graph, list[list[Array]], list[list[Array]]],
) -> None:
    graph, seen, unseen = digits
    logits = replace(graph, outputs=(graph.ops[-1].inputs[0],)).with_ops(graph.ops[:-1])
    nearest = quantize_with(logits, Settings(weights="int2", float_io=True), seen)
    made = reconstruct(nearest, logits, seen, lambda name: "int2", 0, iterations=30)
    assert _error(logits, made, unseen) < _error(logits, nearest, unseen)


def test_a_block_that_would_come_out_worse_stays_as_it_was(
    digits: tuple[Graph, list[list[Array]], list[list[Array]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, seen, _ = digits
    nearest = quantize_with(graph, Settings(), seen[:4])

    def spoilt(*given: object) -> list[Learnt]:
        return [replace(layer, integers=-layer.integers) for layer in learn(*given[:-1], 1)]  # type: ignore[arg-type]

    monkeypatch.setattr("midge.quantize.reconstruct.learn", spoilt)
    made = reconstruct(nearest, graph, seen[:4], lambda name: "int8", 0)
    for name, tensor in made.tensors.items():
        np.testing.assert_array_equal(tensor.data, nearest.tensors[name].data)


def test_what_is_known_is_not_made_again(
    digits: tuple[Graph, list[list[Array]], list[list[Array]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, seen, _ = digits
    static = quantize_with(graph, Settings(weights="int4"), seen[:4])
    known = [Rounded(Settings(weights="int4", rounding="adaround"), static, graph)]
    started: list[Graph] = []
    monkeypatch.setattr("midge.quantize.model.reconstruct", lambda start, *rest: started.append(start) or start)
    rounded(graph, Settings(weights="int4", rounding="blocks", bias_correction="outputs"), seen[:4], known=known)
    assert started == [static]
