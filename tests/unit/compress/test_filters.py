"""Filters: the smaller network is the larger one with zeros, counts suit kernels, and no more goes than must."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midge.cli.compressing import writable
from midge.compress.apply import Material, compress
from midge.compress.channels import STAYS, find_channels
from midge.compress.filter_costs import Costs
from midge.compress.prune import masks
from midge.compress.steps import Prune
from midge.compress.weighted import masked
from midge.data import draw_inputs
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.mul import Mul
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Precision, Settings
from small_graphs import floats, graph, pointwise

FEW = replace(Settings(), calibration_samples=8)
HALF = Prune(sparsity=0.5, granularity="filters")


def zeroed(before: Graph, step: Prune) -> Graph:
    return masked(before, masks(before, step, Material(before, None, FEW)))


def assert_same(one: Graph, other: Graph, tolerance: float = 0.0) -> None:
    for inputs in draw_inputs(one, 2, 3):
        for a, b in zip(interpret(one, inputs), interpret(other, inputs), strict=True):
            np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=0, atol=tolerance * np.abs(a).max())


@pytest.mark.filterwarnings("ignore::midge.quantize.model.FusionWarning")
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("mlperf_tiny/ic_resnet8_int8.tflite", 0),
        ("mlperf_tiny/kws_dscnn_int8.tflite", 0),
        ("onnx/micro_kws_m_static_qdq.onnx", 0),
        ("onnx/mnist8_cnn.onnx", 1e-6),
        ("tinymaix/mnist_dw_f.tflite", 1e-6),
    ],
)
def test_the_smaller_network_computes_what_the_one_with_zeros_does(
    name: str, tolerance: float, asset: Callable[[str], Path]
) -> None:
    before = run_passes(import_model(asset(f"models/{name}")).graph, CANONICALIZE)
    before = writable(before, FEW)
    made = compress(before, [HALF], None, FEW)
    assert made.macs <= 0.5 * before.macs
    assert_same(zeroed(before, HALF), made, tolerance)
    assert len(export_tflite(made)) > 0


def network(channels: Sequence[int], join: str = "") -> Graph:
    """x -> a -> b -> y, each pointwise; `join` puts an addition or a concatenation of a's and another layer's output in
    front of b, or a batch normalization behind a."""
    random = np.random.default_rng(4)
    first, last = channels
    tensors = [floats("x", (1, 3, 3, 3)), floats("a", (1, 3, 3, first)), floats("y", (1, 3, 3, last))]
    tensors += [floats("wa", (first, 1, 1, 3), random.normal(size=(first, 1, 1, 3)))]
    ops: list[Op] = [pointwise("a", ("x", "wa"), "a", (0.0, np.inf))]
    source, depth = "a", first
    if join in ("add", "concat"):
        tensors += [floats("wc", (first, 1, 1, 3), random.normal(size=(first, 1, 1, 3)))]
        tensors += [floats("c", (1, 3, 3, first))]
        ops.append(pointwise("c", ("x", "wc"), "c"))
    if join == "add":
        tensors.append(floats("j", (1, 3, 3, first)))
        ops.append(Add(name="j", inputs=("a", "c"), outputs=("j",), clamp=NO_CLAMP))
        source = "j"
    if join == "concat":
        tensors.append(floats("j", (1, 3, 3, 2 * first)))
        ops.append(Concatenation(name="j", inputs=("a", "c"), outputs=("j",), axis=3))
        source, depth = "j", 2 * first
    if join == "norm":
        tensors += [floats("f", (first,), random.normal(size=first)), floats("j", (1, 3, 3, first))]
        tensors += [floats("o", (1, 1, 1, first), random.normal(size=(1, 1, 1, first))), floats("k", (1, 3, 3, first))]
        ops.append(Mul(name="j", inputs=("a", "f"), outputs=("j",), clamp=NO_CLAMP))
        ops.append(Add(name="k", inputs=("j", "o"), outputs=("k",), clamp=NO_CLAMP))
        source = "k"
    tensors.append(floats("wb", (last, 1, 1, depth), random.normal(size=(last, 1, 1, depth))))
    ops.append(pointwise("b", (source, "wb"), "y"))
    return graph(["x"], ["y"], tensors, ops)


@pytest.mark.parametrize("join", ["", "add", "concat", "norm"])
def test_removal_goes_through_sums_concatenations_and_batch_norm(join: str) -> None:
    before = network((16, 6), join)
    made = compress(before, [HALF], None, FEW)
    assert made.macs <= 0.5 * before.macs
    assert_same(zeroed(before, HALF), made, 1e-6)
    if join == "add":
        assert made.tensors["a"].shape == made.tensors["c"].shape == made.tensors["j"].shape == (1, 3, 3, 8)
    if join == "concat":
        assert made.tensors["j"].shape[3] == made.tensors["a"].shape[3] + made.tensors["c"].shape[3]
    if join == "norm":
        assert made.tensors["f"].shape == (8,)
        assert made.tensors["o"].shape == (1, 1, 1, 8)


def test_a_sum_ties_its_operands_and_outputs_stay() -> None:
    channels = find_channels(network((5, 6), "add"))
    assert channels.groups == 5
    np.testing.assert_array_equal(channels.activations["a"], channels.activations["c"])
    np.testing.assert_array_equal(channels.activations["a"], channels.activations["j"])
    np.testing.assert_array_equal(channels.constants["a", 1][0], channels.activations["a"])
    np.testing.assert_array_equal(channels.constants["b", 1][3], channels.activations["a"])
    assert (channels.activations["x"] == STAYS).all()
    assert (channels.activations["y"] == STAYS).all()


@pytest.mark.parametrize(("channels", "left"), [(18, 8), (9, 4), (7, 3), (4, 2), (3, 1)])
def test_what_is_left_is_a_multiple_of_four_where_there_are_as_many(channels: int, left: int) -> None:
    made = compress(network((channels, 6)), [HALF], None, FEW)
    assert made.tensors["a"].shape[3] == left


def test_the_least_important_go() -> None:
    before = network((8, 6))
    weights = np.array(before.tensors["wa"].data)
    weights[[1, 2, 5, 7]] *= 0.01
    tensors = {**before.tensors, "wa": replace(before.tensors["wa"], data=weights)}
    made = compress(replace(before, tensors=tensors), [HALF], None, FEW)
    np.testing.assert_array_equal(made.tensors["wa"].data, weights[[0, 3, 4, 6]])


def test_a_named_layer_loses_its_own_filters_only() -> None:
    made = compress(network((16, 6), "concat"), [replace_layers(HALF, "c")], None, FEW)
    assert made.tensors["a"].shape[3] == 16
    assert made.tensors["c"].shape[3] == 8


def replace_layers(step: Prune, *layers: str) -> Prune:
    return Prune(sparsity=step.sparsity, granularity=step.granularity, layers=layers)


def test_rounds_come_to_the_same_size() -> None:
    before = network((16, 6), "add")
    sizes = [compress(before, [Prune(sparsity=0.5, granularity="filters", rounds=n)], None, FEW).macs for n in (1, 3)]
    assert sizes[0] == sizes[1]


def test_more_than_can_go_is_refused() -> None:
    with pytest.raises(SettingsError) as error:
        compress(network((4, 6)), [Prune(sparsity=0.9, granularity="filters")], None, FEW)
    assert "0.750" in error.value.message


@pytest.mark.parametrize(("precision", "one"), [("int8", "little"), ("float", "nothing")])
def test_a_channel_of_a_four_saves_next_to_nothing_by_itself(precision: Precision, one: str) -> None:
    before = network((16, 8))
    channels = find_channels(before)
    costs = Costs(before, channels, (), replace(FEW, precision=precision))
    none = np.zeros(channels.groups + 1, bool)
    groups = channels.activations["a"]
    single, four = (costs.saved(none, groups[:n]) for n in (1, 4))
    assert four.macs == 4 * single.macs == 9 * 4 * (3 + 8)
    assert four.cycles > 0
    assert single.cycles == 0 if one == "nothing" else single.cycles < 0.1 * four.cycles


def test_what_goes_saves_more_cycles_than_by_multiply_accumulates(
    asset: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_passes(import_model(asset("models/mlperf_tiny/kws_dscnn_int8.tflite")).graph, CANONICALIZE)
    made = compress(before, [HALF], None, FEW)
    with monkeypatch.context() as patch:
        patch.setattr("midge.compress.filter_costs._kernels", lambda *_: {})
        other = compress(before, [HALF], None, FEW)
    taken = [estimated(g) for g in (before, made, other)]
    assert taken[1] < 0.96 * taken[2] < 0.6 * taken[0]


def estimated(graph: Graph) -> float:
    channels = find_channels(graph)
    return Costs(graph, channels, (), FEW).all(np.zeros(channels.groups + 1, bool)).cycles


def test_a_network_that_remembers_is_judged_by_its_multiply_accumulates(asset: Callable[[str], Path]) -> None:
    before = run_passes(import_model(asset("models/tflm/mnist_lstm_float.tflite")).graph, CANONICALIZE)
    channels = find_channels(before)
    whole = Costs(before, channels, (), FEW).all(np.zeros(channels.groups + 1, bool))
    assert whole.cycles == whole.macs == before.macs
