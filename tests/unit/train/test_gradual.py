"""Pruning while training: what was asked is gone in the end, and costs less than pruning without training."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.compress.apply import Material, compress
from midge.compress.steps import Prune, Train, step_from_table, step_to_table
from midge.compress.weighted import find_weights
from midge.data import Dataset, load_data
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings
from midge.tune.gain import Cost, Gain

pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

from midge.train import worth

DIGITS = Path(__file__).parents[3] / "examples" / "digits"


@pytest.fixture(scope="module")
def digits() -> tuple[Graph, Dataset]:
    """A small network with a sum and a depthwise layer, and its data: a third of it to train on."""
    graph = run_passes(import_model(DIGITS / "digits.tflite").graph, CANONICALIZE)
    data = load_data(DIGITS / "digits.npz", graph)
    thirds = np.arange(len(data)) % 3
    parts = [np.flatnonzero(thirds == part) for part in range(3)]
    return graph, replace(data, evaluate=parts[0][:60], calibrate=parts[1][:200], tune=parts[2][:60])


def right(graph: Graph, data: Dataset) -> float:
    assert data.labels is not None
    x = data.inputs_for(graph.input_tensors[0], data.evaluate)
    said = [int(np.argmax(interpret(graph, [sample])[0])) for sample in x]
    return float(np.mean(said == data.labels[data.evaluate]))


@pytest.mark.parametrize(
    "step",
    [Prune(sparsity=0.75, granularity="1x4"), Prune(sparsity=0.5, granularity="filters", criterion="activation")],
)
def test_what_was_asked_is_gone_in_the_end(step: Prune, digits: tuple[Graph, Dataset]) -> None:
    graph, data = digits
    made = compress(graph, [Train(epochs=3, learning_rate=0.003, prune=step)], data, Settings(calibration_samples=8))
    if step.granularity == "filters":
        assert made.macs <= 0.5 * graph.macs
    else:
        found = [np.asarray(w.tensor.data) for w in find_weights(made) if w.layers[0].kind != "depthwise_conv2d"]
        assert sum((f == 0).sum() for f in found) >= 0.75 * sum(f.size for f in found)
    at_once = compress(graph, [step], data, Settings(calibration_samples=8))
    assert right(made, data) > right(at_once, data)


def test_what_gains_nothing_is_said_before_a_long_training(
    digits: tuple[Graph, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, data = digits
    few = Prune(sparsity=0.02)
    material = Material(graph, data, Settings(calibration_samples=8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        worth.warn_without_gain(graph, Train(epochs=1, prune=few), material)
    monkeypatch.setattr(worth, "_LONG", 0)
    cost = Cost(1000, 1000, 1000)
    nothing = Gain("nucleo_l4r5zi", "modelled cycles", "int8", cost, cost)
    monkeypatch.setattr("midge.tune.gain.gain", lambda before, after, settings, data: nothing)
    with pytest.warns(worth.NoGainWarning, match="gains nothing on nucleo_l4r5zi"):
        worth.warn_without_gain(graph, Train(epochs=1, prune=few), material)


def test_a_step_within_a_step_is_read_back() -> None:
    step = Train(epochs=3, prune=Prune(sparsity=0.5, granularity="2:4"))
    assert step_from_table(step_to_table(step)) == step
