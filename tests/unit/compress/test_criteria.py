"""Criteria against what they claim to tell: the growth of an error, the slope of a loss, how steady an effect is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from midge.compress.apply import Material, compress
from midge.compress.criteria import gradient, reconstruction, stability
from midge.compress.steps import Criterion, Granularity, Prune
from midge.compress.weighted import find_weights
from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ops.softmax import Softmax
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings
from small_graphs import floats, graph, pointwise

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"
FEW = replace(Settings(), calibration_samples=6)


def layer(weights: Array, softmax: bool = False) -> Graph:
    units, depth = weights.shape
    tensors = [floats("x", (1, 1, 1, depth)), floats("y", (1, 1, 1, units))]
    tensors += [floats("w", (units, 1, 1, depth), weights.reshape(units, 1, 1, depth))]
    if not softmax:
        return graph(["x"], ["y"], tensors, [pointwise("a", ("x", "w"), "y")])
    tensors.append(floats("p", (1, 1, 1, units)))
    last = Softmax(name="p", inputs=("y",), outputs=("p",), beta=1.0)
    return graph(["x"], ["p"], tensors, [pointwise("a", ("x", "w"), "y"), last])


def material(network: Graph, folder: Path, x: Array, y: Array | None = None) -> Material:
    labels = {} if y is None else {"y": y}
    np.savez(folder / "d.npz", x=x.reshape(len(x), 1, 1, -1), split=np.ones(len(x), int), **labels)
    return Material(network, load_data(folder / "d.npz", network), Settings(calibration_samples=len(x)))


def test_the_slope_is_that_of_the_loss(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    network = layer(random.normal(size=(3, 4)), softmax=True)
    # One batch: then the score is the square of weight times slope.
    x, y = random.normal(size=(8, 4)).astype(np.float32), random.integers(0, 3, 8)
    found = gradient.scores(network, find_weights(network), material(network, tmp_path, x, y))["w"]

    def loss(weights: Array) -> float:
        sums = x.astype(np.float64) @ weights.reshape(3, 4).T
        parts = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
        return float(-np.log(parts[np.arange(8), y]).mean())

    w = np.asarray(network.tensors["w"].data, np.float64)
    for place in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[place] = 1e-5
        slope = (loss(w + step) - loss(w - step)) / 2e-5
        assert found[place] == pytest.approx((w[place] * slope) ** 2, rel=1e-3, abs=1e-9)


def test_without_labels_the_slope_is_of_the_networks_own_answers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(3, 4))
    weights[:, 2] *= 0.01
    network = layer(weights)
    found = gradient.scores(network, find_weights(network), material(network, tmp_path, random.normal(size=(64, 4))))
    columns = found["w"].reshape(3, 4).sum(axis=0)
    assert np.isfinite(columns).all()
    assert columns.argmin() == 2


def test_the_growth_is_that_of_the_error_when_the_others_make_up_for_it(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    network = layer(random.normal(size=(2, 5)))
    x = random.normal(size=(400, 5)) @ random.normal(size=(5, 5))
    found = reconstruction.scores(network, find_weights(network), material(network, tmp_path, x))["w"].reshape(2, 5)
    w = np.asarray(network.tensors["w"].data, np.float64).reshape(2, 5)
    some = x[np.linspace(0, 399, 128).astype(int)]
    for unit in range(2):
        wanted = some @ w[unit]
        least = []
        for place in range(5):
            rest = np.delete(some, place, axis=1)
            least.append(((rest @ np.linalg.lstsq(rest, wanted, rcond=None)[0] - wanted) ** 2).mean())
        np.testing.assert_allclose(found[unit], least, rtol=0.2, atol=0.02 * max(least))


def test_the_unsteady_are_less_than_the_steady(tmp_path: Path) -> None:
    network = layer(np.ones((1, 3)))
    x = np.ones((128, 3)) + 0.01 * np.random.default_rng(0).normal(size=(128, 3))
    x[:, 1] = 0
    x[::32, 1] = np.sqrt(32)
    seen = material(network, tmp_path, x)
    found = stability.scores(network, find_weights(network), seen)["w"].reshape(3)
    assert found[1] < 0.8 * min(found[0], found[2])
    past = [{"w": np.array([1, 1, 1 + s]).reshape(1, 1, 1, 3)} for s in (-0.5, 0.5, -0.4, 0.4)]
    moved = stability.scores(network, find_weights(network), replace(seen, snapshots=past))["w"].reshape(3)
    assert moved[2] < 0.2 * moved[0]


@pytest.fixture(scope="module")
def digits() -> tuple[Graph, Dataset]:
    network = run_passes(import_model(DIGITS / "digits.tflite").graph, CANONICALIZE)
    return network, load_data(DIGITS / "digits.npz", network)


@pytest.mark.parametrize("criterion", get_args(Criterion))
@pytest.mark.parametrize("granularity", ["1x4", "filters"])
def test_each_criterion_leaves_a_network_that_agrees_more_than_chance_does(
    criterion: Criterion, granularity: Granularity, digits: tuple[Graph, Dataset]
) -> None:
    before, data = digits
    step = Prune(sparsity=0.3, granularity=granularity, criterion=criterion, reconstruct=True)
    made = compress(before, [step], data, FEW)
    x = data.inputs_for(before.input_tensors[0], data.calibrate[:30])
    same = [np.argmax(interpret(before, [s])[0]) == np.argmax(interpret(made, [s])[0]) for s in x]
    assert np.mean(same) > 0.5


def test_an_integer_network_is_judged_by_all_but_gradients(asset: Callable[[str], Path]) -> None:
    before = run_passes(import_model(asset("models/tinymaix/mnist_dw_q.tflite")).graph, CANONICALIZE)
    data = load_data(asset("data/mnist.npz"), before)
    for criterion in get_args(Criterion):
        step = Prune(sparsity=0.4, criterion=criterion)
        if criterion == "gradient":
            with pytest.raises(SettingsError, match="no gradients"):
                compress(before, [step], data, FEW)
        else:
            found = [np.asarray(w.tensor.data) for w in find_weights(compress(before, [step], data, FEW))]
            assert sum((f == 0).sum() for f in found) >= 0.399 * sum(f.size for f in found)
