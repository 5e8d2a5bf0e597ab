"""What `midge inspect --quant` shows of a layer, on networks whose figures are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from midge.cli.inspect import command
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.ir.tensor import Quant, Tensor
from midge.ops.relu import Relu
from midge.quantize.quality import BARS, costliest, layer_qualities
from midge.report.qualities import sparkline
from small_graphs import floats, graph, int8s

X = Quant.per_tensor(1.0, 0)


def relu(of: Tensor, to: Tensor, name: str = "relu") -> Relu:
    return Relu(name=name, inputs=(of.name,), outputs=(to.name,), clamp=(0.0, inf))


def networks(scale: float) -> tuple[Graph, Graph]:
    """y = relu(x) in float, and in int8 with an output of `scale`."""
    x, y = floats("x", (1, 4)), floats("y", (1, 4))
    qx, qy = int8s("x", (1, 4), X), int8s("y", (1, 4), Quant.per_tensor(scale, -128))
    return graph(["x"], ["y"], [x, y], [relu(x, y)]), graph(["x"], ["y"], [qx, qy], [relu(qx, qy)])


def test_a_layer_without_error_has_no_noise() -> None:
    (layer,) = layer_qualities(*networks(1.0), [[np.array([[1, 2, 3, 4]], np.float32)]])
    assert (layer.sqnr_db, layer.alone_db) == (inf, inf)
    assert costliest([layer]) == ()


def test_signal_to_noise_is_the_ratio_of_powers_in_decibels() -> None:
    # In steps of 2, the values 1 and 3 become 2 and 4: an error of 1 each, beside a power of 1 + 9 + 16 + 16.
    (layer,) = layer_qualities(*networks(2.0), [[np.array([[1, 3, 4, 4]], np.float32)]])
    assert layer.sqnr_db == pytest.approx(10 * np.log10(42 / 2))
    assert layer.alone_db == layer.sqnr_db


def test_range_saturation_and_dead_levels_are_counted() -> None:
    # 255 steps of 0.25 reach 63.75: 100 saturates; 0 lies at the lower end, where the activation puts it.
    (layer,) = layer_qualities(*networks(0.25), [[np.array([[-5, 0, 1, 100]], np.float32)]])
    assert layer.saturated == 0.25
    assert layer.range_used == 1.0
    assert layer.dead_levels == 256 - 3
    assert layer.histogram == (3, *[0] * (BARS - 2), 1)


def test_without_a_float_network_there_is_no_noise_to_tell() -> None:
    (layer,) = layer_qualities(None, networks(1.0)[1], [[np.zeros((1, 4), np.float32)]])
    assert layer.sqnr_db is None
    assert layer.alone_db is None


def test_a_sparkline_shows_every_count_that_is_not_zero() -> None:
    assert sparkline([0, 1, 500, 1000]) == " ▁▄█"
    assert sparkline([]) == ""


def test_the_command_compares_a_written_model_with_its_original(asset: Callable[[str], Path]) -> None:
    kws, data = asset("models/mlperf_tiny_derived/kws_float32_true.tflite"), asset("data/kws_mfcc.npz")
    result = CliRunner().invoke(command, [str(kws), "--quant", "--data", str(data), "--json"], catch_exceptions=False)
    layers = json.loads(result.stdout)["layers"]
    assert all(layer["sqnr_db"] > 15 for layer in layers)


def test_quant_without_data_says_what_is_missing(asset: Callable[[str], Path]) -> None:
    kws = asset("models/mlperf_tiny_derived/kws_float32_true.tflite")
    with pytest.raises(SettingsError, match="needs to see") as raised:
        CliRunner().invoke(command, [str(kws), "--quant"], catch_exceptions=False)
    assert "--data" in raised.value.hint
