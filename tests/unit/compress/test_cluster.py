"""Clustering: few distinct integers once a network is int8, zeros kept, and no worse than any other choice."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from compressible import dataset, material, network, sparse, weights_of
from midge.compress.apply import CompressionNote, compress
from midge.compress.cluster import apply, distinct
from midge.compress.compensation import best_steps, compensated, output_errors
from midge.compress.criteria.activation import input_energies
from midge.compress.kmeans import centers, nearest_center
from midge.compress.steps import Cluster
from midge.compress.weighted import find_weights, samples_for
from midge.errors import SettingsError
from midge.interpreter import interpret, interpret_all
from midge.ir.graph import Graph
from midge.quantize import quantize_model
from midge.settings import Settings
from small_graphs import floats, pointwise
from small_graphs import graph as small_graph

LAYERS = ("stem", "dw", "pw", "wide", "fc")


@pytest.mark.parametrize("values", [2, 3, 4, 7, 16])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_clustered_float_network_has_as_few_integers_once_it_is_int8(
    tmp_path: Path, values: int, zeros: bool
) -> None:
    graph = sparse(network()) if zeros else network()
    data = dataset(tmp_path / "d.npz", graph)
    clustered = apply(graph, Cluster(values=values), material(graph, data if values in (3, 7) else None))
    quantized = quantize_model(clustered, Settings(), data)
    for name in LAYERS:
        integers = weights_of(quantized, name)
        assert len(np.unique(integers)) <= values
        assert not integers[weights_of(graph, name) == 0].any()


def test_the_few_integers_are_those_that_clustering_chose(tmp_path: Path) -> None:
    graph = network()
    clustered = apply(graph, Cluster(values=8), material(graph))
    quantized = quantize_model(clustered, Settings(), dataset(tmp_path / "d.npz", graph))
    for name in LAYERS:
        made, integers = weights_of(clustered, name), weights_of(quantized, name)
        scales = np.asarray(quantized.tensors[f"{name}_w"].q.scales)
        axis = 3 if name == "dw" else 0
        shape = [-1 if i == axis else 1 for i in range(made.ndim)]
        np.testing.assert_allclose(integers * scales.reshape(shape), made, rtol=1e-6)


@pytest.mark.parametrize("rounding", ["adaround", "blocks"])
def test_learnt_rounding_leaves_zeros_and_clusters_alone(tmp_path: Path, rounding: str) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, (8, 1, 1, 6))
    weights.reshape(-1)[::3] = 0
    layers = [floats("v", (6, 1, 1, 2), rng.normal(0, 1, (6, 1, 1, 2))), floats("w", weights.shape, weights)]
    sizes = [floats(name, (1, 2, 2, depth)) for name, depth in (("x", 2), ("a", 6), ("y", 8))]
    ops = [pointwise("first", ["x", "v"], "a"), pointwise("last", ["a", "w"], "y")]
    of = small_graph(["x"], ["y"], [*sizes, *layers], ops)
    clustered = apply(of, Cluster(values=5, layers=("last",)), material(of))
    quantized = quantize_model(clustered, Settings(rounding=rounding), dataset(tmp_path / "d.npz", of))
    integers = weights_of(quantized, "last")
    assert len(np.unique(integers)) <= 5
    assert not integers[weights == 0].any()
    nearest = quantize_model(clustered, Settings(), dataset(tmp_path / "d.npz", of))
    assert (weights_of(quantized, "first") != weights_of(nearest, "first")).any()


def test_an_int8_network_keeps_its_scales_and_gets_few_integers(tmp_path: Path) -> None:
    graph = sparse(network())
    data = dataset(tmp_path / "d.npz", graph)
    quantized = quantize_model(graph, Settings(), data)
    clustered = apply(quantized, Cluster(values=6), material(quantized, data))
    for name in LAYERS:
        before, after = quantized.tensors[f"{name}_w"], clustered.tensors[f"{name}_w"]
        assert after.quant == before.quant
        assert len(np.unique(after.data)) <= 6
        assert not np.asarray(after.data)[np.asarray(before.data) == 0].any()
    assert quantize_model(clustered, Settings(), data) is clustered


def test_only_the_named_layer_changes() -> None:
    graph = network()
    clustered = apply(graph, Cluster(values=4, layers=("pw",)), material(graph))
    changed = [n for n in LAYERS if not np.array_equal(weights_of(graph, n), weights_of(clustered, n))]
    assert changed == ["pw"]


def test_more_values_make_a_smaller_error() -> None:
    graph = network()
    errors = []
    for values in (2, 4, 16, 64):
        made = weights_of(apply(graph, Cluster(values=values), material(graph)), "wide")
        errors.append(float(((made - weights_of(graph, "wide")) ** 2).sum()))
    power = float((weights_of(graph, "wide") ** 2).sum())
    assert errors == sorted(errors, reverse=True)
    # A normal distribution in 4 levels keeps 88 % of its power, in 16 levels 99 % (Max, 1960).
    assert errors[1] < 0.13 * power
    assert errors[2] < 0.015 * power


def test_data_makes_the_error_at_the_output_smaller(tmp_path: Path) -> None:
    graph = network()
    data = dataset(tmp_path / "d.npz", graph, samples=60)
    step = Cluster(values=4, layers=("stem",))
    x = data.inputs_for(graph.input_tensors[0], data.calibrate)

    def error(made: Graph) -> float:
        pairs = [(interpret_all(graph, [v])["a"], interpret_all(made, [v])["a"]) for v in x]
        return sum(float(((a - b) ** 2).sum()) for a, b in pairs)

    assert error(apply(graph, step, material(graph, data))) < error(apply(graph, step, material(graph)))


def test_the_energy_of_a_weight_is_the_mean_square_of_what_it_multiplies(tmp_path: Path) -> None:
    graph = network()
    data = dataset(tmp_path / "d.npz", graph)
    given = material(graph, data)
    samples = samples_for(graph, given, "the test")
    energies = input_energies(graph, samples, given)
    seen = np.stack([interpret_all(graph, s)["d"][0] for s in samples])
    np.testing.assert_allclose(energies["pw"][5, 0, 0], (seen.astype(np.float64) ** 2).sum(axis=(1, 2)).mean(axis=0))
    padded = np.stack([np.pad(interpret_all(graph, s)["a"][0], ((1, 1), (1, 1), (0, 0))) for s in samples])
    np.testing.assert_allclose(
        energies["dw"][0, 0, 2, 7], (padded[:, 0:6, 2:8, 7].astype(np.float64) ** 2).sum() / len(samples)
    )


def test_a_layer_that_is_not_there_is_refused_with_those_that_are() -> None:
    graph = network()
    with pytest.raises(SettingsError, match="no layer nowhere") as refused:
        compress(graph, [Cluster(layers=("nowhere",))], None, Settings())
    assert "stem" in refused.value.hint
    with pytest.raises(SettingsError, match="no layer add with weights"):
        compress(graph, [Cluster(layers=("add",))], None, Settings())


def test_nothing_to_cluster_is_said_and_changes_nothing() -> None:
    graph = apply(network(), Cluster(values=4), material(network()))
    assert all(distinct(w) <= 4 for w in find_weights(graph))
    with pytest.warns(CompressionNote, match="nothing to cluster"):
        assert apply(graph, Cluster(values=4), material(graph)) is graph


def test_the_output_of_a_network_in_64_values_is_near(tmp_path: Path) -> None:
    graph = network()
    data = dataset(tmp_path / "d.npz", graph)
    clustered = apply(graph, Cluster(values=64), material(graph, data))
    for x in data.inputs_for(graph.input_tensors[0]):
        exact, found = interpret(graph, [x])[0], interpret(clustered, [x])[0]
        assert np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_centers_of_few_numbers_are_near_the_best_of_all_partitions() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        values, masses = np.sort(rng.normal(0, 1, 9)), rng.uniform(0.1, 1, 9)
        found = centers(values, masses, 3)
        best = min(_cost(values, masses, (0, *cuts, 9)) for cuts in itertools.combinations(range(1, 9), 2))
        cost = float((masses * (values - nearest_center(values, found)) ** 2).sum())
        assert best - 1e-12 <= cost <= 1.6 * best


def _cost(values: np.ndarray, masses: np.ndarray, cuts: tuple[int, ...]) -> float:
    total = 0.0
    for a, b in itertools.pairwise(cuts):
        mean = np.average(values[a:b], weights=masses[a:b])
        total += float((masses[a:b] * (values[a:b] - mean) ** 2).sum())
    return total


def test_pinned_centers_stay() -> None:
    rng = np.random.default_rng(0)
    found = centers(rng.normal(0.4, 1, 500), np.ones(500), 5, (0.0, 1.0))
    assert {0.0, 1.0} <= set(found)
    assert len(found) <= 5


@pytest.mark.parametrize("zeros", [False, True])
def test_weights_that_make_up_for_each_other_come_nearer_to_the_outputs(zeros: bool) -> None:
    """Against each weight's nearest value, where inputs go together."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (400, 5)) @ rng.normal(0, 1, (5, 24)) + rng.normal(0, 0.2, (400, 24))
    real, steps, table = rng.normal(0, 0.5, (1, 24, 9)), np.full((1, 1, 9), 0.5), np.array([-3.0, -1, 0, 1, 3])
    if zeros:
        real[:, ::3] = 0
    moments = (rows.T @ rows / 400)[None] + 1e-3 * np.eye(24)
    found = compensated(real, steps, moments, table)
    near = nearest_center(real / steps, table)
    errors = [((rows @ (real - made * steps)[0]) ** 2).sum() for made in (found, near)]
    assert set(np.unique(found)) <= set(table)
    assert not found[real == 0].any()
    assert errors[0] < 0.6 * errors[1]
    np.testing.assert_allclose(output_errors(real - near * steps, moments).sum(), errors[1] / 400, rtol=1e-2)
    better = best_steps(real, found, steps, moments)
    assert (output_errors(real - found * better, moments) <= output_errors(real - found * steps, moments) + 1e-9).all()
