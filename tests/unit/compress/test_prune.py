"""Pruning real and made networks: what becomes zero, what is left alone, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import midge
from midge.compress.apply import Material, compress
from midge.compress.prune import cubic, masks
from midge.compress.steps import Criterion, Granularity, Prune
from midge.compress.weighted import find_weights, real_weights
from midge.data import load_data
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.kernels.sparsity import PATTERNS
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings
from small_graphs import floats, graph, pointwise

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"
FEW = replace(Settings(), calibration_samples=8)


def imported(path: Path) -> Graph:
    return run_passes(import_model(path).graph, CANONICALIZE)


def zeros(made: Graph) -> float:
    found = [np.asarray(w.tensor.data) for w in find_weights(made)]
    return float(sum((f == 0).sum() for f in found) / sum(f.size for f in found))


@pytest.mark.parametrize("criterion", ["magnitude", "activation"])
def test_digits_loses_what_was_asked_and_is_still_a_tflite(criterion: Criterion, tmp_path: Path) -> None:
    before = imported(DIGITS / "digits.tflite")
    data = load_data(DIGITS / "digits.npz", before)
    made = compress(before, [Prune(sparsity=0.6, criterion=criterion, rounds=2)], data, FEW)
    assert 0.599 <= zeros(made) <= 0.601
    file = tmp_path / "pruned.tflite"
    file.write_bytes(export_tflite(made))
    x = data.inputs_for(before.input_tensors[0], data.calibrate[:1])[0]
    np.testing.assert_array_equal(interpret(made, [x])[0], interpret(imported(file), [x])[0])


@pytest.mark.parametrize("granularity", ["1:4", "1:8", "2:4"])
def test_n_of_m_holds_in_each_group(granularity: Granularity) -> None:
    stay, along = (int(part) for part in granularity.split(":"))
    made = compress(
        imported(DIGITS / "digits.tflite"), [Prune(sparsity=1 - stay / along, granularity=granularity)], None, FEW
    )
    rows = [w for w in find_weights(made) if w.layers[0].kind != "depthwise_conv2d" and w.tensor.shape[-1] % along == 0]
    assert len(rows) >= 2
    for w in rows:
        data = np.asarray(w.tensor.data)
        vectors = np.add.reduceat(data != 0, np.arange(0, len(data), PATTERNS[granularity].channels), axis=0) > 0
        assert (np.count_nonzero(vectors.reshape(-1, along), axis=1) <= stay).all()


@pytest.mark.parametrize(
    "name", ["tinymaix/mnist_dw_f.tflite", "onnx/mnist8_cnn.onnx", "mlperf_tiny_derived/kws_dynamic_range.tflite"]
)
def test_models_of_each_format_and_precision_are_pruned(name: str, asset: Callable[[str], Path]) -> None:
    before = imported(asset(f"models/{name}"))
    made = compress(before, [Prune(sparsity=0.5)], None, FEW)
    assert 0.499 <= zeros(made) <= 0.52
    assert len(export_tflite(made)) > 0


def two(first: Array, second: Array) -> Graph:
    tensors = [
        *(floats("x", (1, 1, 1, 4)), floats("m", (1, 1, 1, len(first))), floats("y", (1, 1, 1, len(second)))),
        floats("w1", (len(first), 1, 1, 4), first.reshape(-1, 1, 1, 4)),
        floats("w2", (len(second), 1, 1, len(first)), second.reshape(len(second), 1, 1, -1)),
    ]
    return graph(["x"], ["y"], tensors, [pointwise("a", ("x", "w1"), "m"), pointwise("b", ("m", "w2"), "y")])


def test_only_the_named_layers_change() -> None:
    random = np.random.default_rng(0)
    before = two(random.normal(size=(8, 4)), random.normal(size=(4, 8)))
    made = compress(before, [Prune(sparsity=0.5, layers=("b",))], None, FEW)
    assert np.count_nonzero(made.tensors["w1"].data) == 32
    assert np.count_nonzero(made.tensors["w2"].data) == 16


def test_zeros_of_an_earlier_step_stay_and_count() -> None:
    random = np.random.default_rng(0)
    before = two(random.normal(size=(8, 4)), random.normal(size=(4, 8)))
    once = compress(before, [Prune(sparsity=0.5)], None, FEW)
    twice = compress(once, [Prune(sparsity=0.75)], None, FEW)
    for name in ("w1", "w2"):
        zero = np.asarray(once.tensors[name].data) == 0
        assert (np.asarray(twice.tensors[name].data)[zero] == 0).all()
    assert sum(np.count_nonzero(twice.tensors[name].data) for name in ("w1", "w2")) == 16


def test_a_mask_on_the_way_is_part_of_the_last_one() -> None:
    random = np.random.default_rng(0)
    before = two(random.normal(size=(8, 4)), random.normal(size=(4, 8)))
    material = Material(before, None, FEW)
    early = masks(before, Prune(sparsity=cubic(0.75, 0.3), granularity="1x4"), material)
    late = masks(before, Prune(sparsity=0.75, granularity="1x4"), material)
    assert all((early[name] | ~late[name]).all() for name in early)


def test_the_schedule_starts_at_nothing_and_ends_at_all_and_slows_down() -> None:
    way = [cubic(0.8, f) for f in (-1, 0, 0.25, 0.5, 0.75, 1, 2)]
    assert way[:2] == [0, 0]
    assert way[-2:] == [0.8, 0.8]
    gains = np.diff(way[1:-1])
    assert (gains > 0).all()
    assert (np.diff(gains) < 0).all()


def test_a_large_weight_that_only_ever_sees_little_goes_first(tmp_path: Path) -> None:
    before = two(np.tile([3.0, 1, 1, 1], (4, 1)), np.eye(4))
    np.savez(tmp_path / "d.npz", x=np.tile([0.01, 1, 1, 1], (4, 1)).reshape(4, 1, 1, 4), split=np.ones(4, int))
    data = load_data(tmp_path / "d.npz", before)
    made = compress(before, [Prune(sparsity=0.25, criterion="activation", layers=("a",))], data, FEW)
    assert np.asarray(made.tensors["w1"].data).reshape(4, 4).tolist() == [[0, 1, 1, 1]] * 4


def test_integer_weights_are_judged_by_what_they_stand_for(asset: Callable[[str], Path]) -> None:
    before = imported(asset("models/mlperf_tiny/kws_dscnn_int8.tflite"))
    for w in (found.tensor for found in find_weights(before)):
        for channel, scale in enumerate(w.q.scales):
            cut = (slice(None),) * (w.q.axis or 0) + (channel if w.q.axis is not None else slice(None),)
            np.testing.assert_allclose(real_weights(w)[cut], np.asarray(w.data, float)[cut] * scale)
    data = load_data(asset("data/kws_mfcc.npz"), before)
    made = compress(before, [Prune(sparsity=0.5, granularity="1x4", criterion="activation")], data, FEW)
    for name, tensor in made.tensors.items():
        assert (tensor.quant, tensor.shape) == (before.tensors[name].quant, before.tensors[name].shape)
    changed = [n for n, t in made.tensors.items() if t.is_constant and (t.data != before.tensors[n].data).any()]
    assert 0 < len(changed) <= len(find_weights(before))


def test_layers_of_few_inputs_stay_whole_where_all_else_loses_the_same() -> None:
    made = compress(imported(DIGITS / "digits.tflite"), [Prune(sparsity=0.5, even=True)], None, FEW)
    found = {w.layers[0].kind + str(w.tensor.shape): np.asarray(w.tensor.data) for w in find_weights(made)}
    parts = {name: (data == 0).mean() for name, data in found.items()}
    few = {name for name, data in found.items() if name.startswith("depthwise") or data[0].size < 16}
    assert all(parts[name] == 0 for name in few)
    assert len(few) == 2
    rest = [part for name, part in parts.items() if name not in few]
    assert max(rest) - min(rest) < 0.01
    assert zeros(made) == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Prune(sparsity=0.5, layers=("nothing",)), "nothing"),
        (Prune(sparsity=0.9, granularity="2:4"), "0.5"),
        (Prune(sparsity=0.5, granularity="kernels", layers=("a",)), "kernels"),
        (Prune(sparsity=0.999, granularity="1x4"), "0.999"),
        (Prune(sparsity=0.5, criterion="activation"), "data"),
        (Prune(sparsity=0.5, granularity="filters", even=True), "evenly"),
    ],
)
def test_what_cannot_be_is_refused_in_words(step: Prune, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        compress(two(np.ones((4, 4)), np.ones((4, 4))), [step], None, FEW)
    assert says in error.value.message
    assert error.value.hint


def test_a_technique_is_a_function_too() -> None:
    graph = import_model(DIGITS / "digits.tflite").graph
    made = midge.prune(graph, sparsity=0.5, granularity="filters")
    assert made.macs <= 0.5 * graph.macs
    assert len(midge.export_tflite(made)) > 0
    with pytest.raises(SettingsError, match="granularty"):
        midge.prune(graph, sparsity=0.5, granularty="filters")


def test_data_without_calibration_samples_is_refused(tmp_path: Path) -> None:
    before = two(np.ones((4, 4)), np.ones((4, 4)))
    np.savez(tmp_path / "d.npz", x=np.ones((4, 4)))
    with pytest.raises(SettingsError) as error:
        compress(before, [Prune(sparsity=0.5, criterion="activation")], load_data(tmp_path / "d.npz", before), FEW)
    assert "split" in error.value.hint
