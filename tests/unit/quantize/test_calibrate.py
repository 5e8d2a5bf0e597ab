"""Calibration: what is seen, what is doubted, what is refused; and the accuracy of a real network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
import pytest

from midge.data import Dataset, load_data
from midge.errors import DataError, SettingsError
from midge.importers import import_model
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import Array
from midge.ops.logistic import Logistic
from midge.ops.mul import Mul
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import CalibrationWarning, calibrate, quantize_model
from midge.quantize.ranges import Method, Range
from midge.quantize.samples import is_noise, sample_notes
from midge.settings import Settings
from small_graphs import floats, graph

T = TypeVar("T")


def square() -> Graph:
    return graph(
        ["x"],
        ["z"],
        [*(floats(n, (1, 4)) for n in "xyz")],
        [
            Mul(name="square", inputs=("x", "x"), outputs=("y",), clamp=NO_CLAMP),
            Logistic(name="logistic", inputs=("y",), outputs=("z",)),
        ],
    )


def samples(*values: float) -> list[list[Array]]:
    return [[np.array([[v, 0, 0, 1]], np.float32)] for v in values]


def test_minmax_ranges_are_those_of_all_samples() -> None:
    found = calibrate(square(), samples(*range(-3, 9)), "minmax")
    assert found.ranges["x"] == Range(-3, 8)
    assert found.ranges["y"] == Range(0, 64)
    assert (found.samples, found.notes) == (12, ())


def test_the_order_of_the_samples_changes_nothing() -> None:
    given = samples(*np.random.default_rng(0).normal(size=40) * 10)
    for method in ("minmax", "percentile", "mse"):
        assert calibrate(square(), given, method).ranges == calibrate(square(), given[::-1], method).ranges


def test_progress_goes_over_all_samples() -> None:
    seen: list[object] = []

    def watch(items: Iterable[T], what: str, /) -> Iterable[T]:
        for item in items:
            seen.append(item)
            yield item

    calibrate(square(), samples(*range(12)), progress=watch)
    assert len(seen) == 12


@pytest.mark.parametrize("nothing", [None, []])
def test_a_float_graph_without_samples_is_an_error_that_names_the_flag(nothing: list[list[Array]] | None) -> None:
    with pytest.raises(SettingsError) as error:
        calibrate(square(), nothing)
    assert "--data" in error.value.hint


def test_not_a_number_in_a_sample_is_an_error_naming_the_sample() -> None:
    with pytest.raises(DataError, match="sample 1 "):
        calibrate(square(), samples(1, float("nan"), 2))


@pytest.mark.filterwarnings("error")
def test_an_activation_that_overflows_is_an_error_naming_the_layer() -> None:
    with pytest.raises(DataError, match=r"layer square \(mul\).*sample 1"):
        calibrate(square(), samples(1, 1e30, 2))


def test_few_samples_are_noted() -> None:
    (note,) = calibrate(square(), samples(1, 2, 3)).notes
    assert "only 3" in note


def test_constant_samples_are_noted() -> None:
    (note,) = calibrate(square(), samples(*[5.0] * 20)).notes
    assert "the same" in note
    (note,) = sample_notes([[np.full((1, 4), i, np.float32)] for i in range(20)])
    assert "the same" in note


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (1, 49, 10, 1), (1, 640), (3, 32, 32, 3)])
def test_noise_is_told_from_signals(seed: int, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(100, *shape))
    assert is_noise(noise)
    assert is_noise(draw.integers(-128, 128, (100, *shape)))
    smooth = noise + np.roll(noise, 1, axis=-2 if len(shape) > 2 else -1)
    assert not is_noise(smooth)
    assert not is_noise(noise + draw.normal(size=shape)), "places differ in their mean"
    assert not is_noise(noise[:3, ..., :1, :1, :1] if len(shape) > 2 else noise[:1]), "too little to tell"


def test_the_network_must_be_float_or_stay_integer(asset: Callable[[str], Path]) -> None:
    integer = import_model(asset("models/tflm/hello_world_int8.tflite")).graph
    assert quantize_model(integer, Settings()) is integer
    assert quantize_model(integer, Settings(precision="as-is")) is integer
    with pytest.raises(SettingsError, match="integer"):
        quantize_model(integer, Settings(precision="float"))


def test_precision_decides_whether_a_float_graph_is_quantized() -> None:
    g = square()
    assert quantize_model(g, Settings(precision="as-is")) is g
    assert quantize_model(g, Settings(precision="float")) is g
    with pytest.raises(SettingsError, match="float model"):
        quantize_model(g, Settings(precision="int8"))


def test_data_without_calibration_samples_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((20, 4), np.float32))
    with pytest.raises(SettingsError, match="no samples to calibrate on"):
        quantize_model(square(), Settings(), load_data(tmp_path / "d.npz", square()))


def test_only_the_calibration_samples_are_looked_at(tmp_path: Path) -> None:
    x = np.concatenate([np.full((20, 4), 100), np.linspace(-1, 2, 80).reshape(20, 4)]).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x, split=np.repeat([0, 1], 20))
    result = quantize_model(square(), Settings(), load_data(tmp_path / "d.npz", square()))
    assert result.tensors["x"].q.scale == pytest.approx(3 / 255)


def test_doubts_are_warnings(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.linspace(-1, 2, 16).reshape(4, 4), split=np.ones(4, int))
    with pytest.warns(CalibrationWarning, match="only 4"):
        quantize_model(square(), Settings(), load_data(tmp_path / "d.npz", square()))


@pytest.fixture(scope="module")
def kws(asset: Callable[[str], Path]) -> tuple[Graph, Dataset, float]:
    """Float keyword spotting, its data, and the percent that it gets right."""
    g = run_passes(import_model(asset("models/mlperf_tiny_derived/kws_float32_true.tflite")).graph, CANONICALIZE)
    data = load_data(asset("data/kws_mfcc.npz"), g)
    return g, data, percent_right(g, data)


# Relative entropy looks at how often values come up, not at what they do, and cuts deepest.
METHODS = [
    pytest.param(method, 1.0 if method == "kl" else 0.5, marks=[] if method == Settings().ranges else pytest.mark.long)
    for method in get_args(Method)
]


@pytest.mark.parametrize(("method", "points"), METHODS)
def test_int8_keyword_spotting_is_close_to_float(
    method: Method, points: float, kws: tuple[Graph, Dataset, float]
) -> None:
    float_graph, data, in_float = kws
    assert in_float == pytest.approx(89.58, abs=0.01)
    int_graph = quantize_model(float_graph, Settings(ranges=method), data)
    assert percent_right(int_graph, data) >= in_float - points


def percent_right(g: Graph, data: Dataset) -> float:
    assert data.labels is not None
    inputs = data.inputs_for(g.input_tensors[0], data.evaluate)
    right = [interpret(g, [x])[0].argmax() == y for x, y in zip(inputs, data.labels[data.evaluate], strict=True)]
    return 100 * float(np.mean(right))
