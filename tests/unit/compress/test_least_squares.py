"""Fitting what remains: never worse than not fitting, and exact where what remains can say it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.compress.apply import Material, compress
from midge.compress.least_squares import fit_remaining
from midge.compress.prune import masks
from midge.compress.steps import Criterion, Granularity, Prune
from midge.compress.systems import Rows, Sums, inverse_diagonal
from midge.compress.weighted import masked, samples_for
from midge.data import load_data
from midge.importers import import_model
from midge.interpreter import interpret_all
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, run_passes
from midge.quantize.quality import real_values
from midge.settings import Settings
from small_graphs import floats, graph, pointwise

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"
FEW = replace(Settings(), calibration_samples=8)


def first_error(made: Graph, before: Graph, material: Material) -> float:
    """The squared error of the first layer with weights that was pruned, whose inputs are the same in both."""
    total = 0.0
    for sample in samples_for(before, material, "this"):
        values = [interpret_all(g, sample) for g in (made, before)]
        for op in before.ops:
            if op.weight_axis:
                name = op.outputs[0]
                one, other = (real_values(before.tensors[name], v[name]) for v in values)
                total += float(((one - other) ** 2).sum())
                break
    return total


@pytest.mark.parametrize("granularity", ["fine", "1x4"])
@pytest.mark.parametrize("name", ["tinymaix/mnist_dw_f.tflite", "tinymaix/mnist_dw_q.tflite"])
def test_a_fitted_layer_is_no_further_off(name: str, granularity: Granularity, asset: Callable[[str], Path]) -> None:
    before = run_passes(import_model(asset(f"models/{name}")).graph, CANONICALIZE)
    # The error is that in front of the activation; without one it is that of the output.
    before = before.with_ops([replace(op, clamp=(-np.inf, np.inf)) if op.weight_axis else op for op in before.ops])
    material = Material(before, load_data(asset("data/mnist.npz"), before), FEW)
    first = next(op.name for op in before.ops if op.weight_axis)
    kept = masks(before, Prune(sparsity=0.5, granularity=granularity, layers=(first,)), material)
    plain = masked(before, kept)
    made = fit_remaining(plain, before, kept, samples_for(before, material, "this"), 0)
    assert first_error(made, before, material) < 0.9 * first_error(plain, before, material)
    for key, mask in kept.items():
        assert (np.asarray(made.tensors[key].data)[~mask] == 0).all()
        assert made.tensors[key].quant == before.tensors[key].quant


def test_an_input_that_another_one_repeats_is_made_up_for(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    tensors = [
        *(floats("x", (1, 1, 1, 4)), floats("y", (1, 1, 1, 3))),
        floats("w", (3, 1, 1, 4), random.normal(size=(3, 1, 1, 4))),
        floats("b", (3,), random.normal(size=3)),
    ]
    before = graph(["x"], ["y"], tensors, [pointwise("a", ("x", "w", "b"), "y")])
    x = random.normal(size=(64, 1, 1, 4))
    x[..., 3] = 2 * x[..., 1] + 1
    np.savez(tmp_path / "d.npz", x=x, split=np.ones(64, int))
    data = load_data(tmp_path / "d.npz", before)
    kept = {"w": np.broadcast_to(np.array([True, True, True, False]), (3, 1, 1, 4))}
    samples = samples_for(before, Material(before, data, Settings()), "this")
    made = fit_remaining(masked(before, kept), before, kept, samples, 0)
    old, new = (np.asarray(g.tensors["w"].data).reshape(3, 4) for g in (before, made))
    np.testing.assert_allclose(new[:, 1], old[:, 1] + 2 * old[:, 3], atol=0.02)
    np.testing.assert_allclose(made.tensors["b"].data, np.asarray(before.tensors["b"].data) + old[:, 3], atol=0.02)


def test_a_smaller_network_that_was_fitted_is_nearer(tmp_path: Path) -> None:
    before = run_passes(import_model(DIGITS / "digits.tflite").graph, CANONICALIZE)
    data = load_data(DIGITS / "digits.npz", before)
    samples = samples_for(before, Material(before, data, FEW), "this")
    errors = []
    for reconstruct in (False, True):
        step = Prune(sparsity=0.3, granularity="filters", criterion="activation", reconstruct=reconstruct)
        made = compress(before, [step], data, FEW)
        assert made.macs <= 0.7 * before.macs
        last = [op for op in before.ops if op.weight_axis][-1].outputs[0]
        pairs = [[interpret_all(g, sample)[last] for g in (before, made)] for sample in samples]
        errors.append(sum(float(((a - b) ** 2).sum()) for a, b in pairs))
    assert errors[1] < 0.5 * errors[0]


def wide_layer(tmp_path: Path, samples: int = 40, inputs: int = 2500) -> tuple[Graph, Material]:
    """A layer of more inputs than sums of their products are made for, which lie near a line through 8 directions."""
    random = np.random.default_rng(5)
    tensors = [
        *(floats("x", (1, 1, 1, inputs)), floats("y", (1, 1, 1, 3))),
        floats("w", (3, 1, 1, inputs), random.normal(size=(3, 1, 1, inputs))),
        floats("b", (3,), random.normal(size=3)),
    ]
    before = graph(["x"], ["y"], tensors, [pointwise("a", ("x", "w", "b"), "y")])
    x = random.normal(size=(samples, 8)) @ random.normal(size=(8, inputs))
    np.savez(tmp_path / "d.npz", x=x.reshape(samples, 1, 1, inputs), split=np.ones(samples, int))
    return before, Material(before, load_data(tmp_path / "d.npz", before), Settings())


@pytest.mark.parametrize("criterion", ["magnitude", "reconstruction"])
def test_a_layer_of_very_many_inputs_is_fitted_too(criterion: Criterion, tmp_path: Path) -> None:
    before, material = wide_layer(tmp_path)
    step = Prune(sparsity=0.75, criterion=criterion, reconstruct=True)
    made = compress(before, [step], material.data, Settings())
    kept = np.asarray(made.tensors["w"].data) != 0
    assert kept.mean() == pytest.approx(0.25, abs=1e-3)
    assert first_error(made, before, material) < 0.01 * first_error(masked(before, {"w": kept}), before, material)


def test_rows_and_sums_of_their_products_have_the_same_solutions() -> None:
    random = np.random.default_rng(2)
    for count, columns in ((30, 70), (70, 30)):
        rows, targets = random.normal(size=(2, count, columns)), random.normal(size=(2, count, 5))
        free = random.random((2, columns, 5)) < 0.6
        start = np.where(free, random.normal(size=free.shape), 0)
        turned = rows.transpose(0, 2, 1)
        sums, kept = Sums(turned @ rows, turned @ targets), Rows(rows, targets)
        found, other = sums.solved(start, free), kept.solved(start, free)
        np.testing.assert_allclose(found, other, atol=1e-10)
        np.testing.assert_allclose(sums.errors(found), kept.errors(found), atol=1e-9)
        assert (found[~free] == 0).all()
        direct = np.diag(np.linalg.inv(turned[0] @ rows[0] + 0.3 * np.eye(columns)))
        np.testing.assert_allclose(inverse_diagonal(rows[0], 0.3), direct, atol=1e-10)
