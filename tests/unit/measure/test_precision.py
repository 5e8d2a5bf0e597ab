"""What recorded networks compute in, as reports call it, before and after midge has quantized them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from midge.data import load_data
from midge.importers import import_model
from midge.measure.precision import precision_of
from midge.pipeline import compile_model
from midge.settings import Settings

DIGITS = Path(__file__).parents[3] / "examples" / "digits" / "digits"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ops_synth/conv_dw_pool_fc_softmax_int8", "int8"),
        ("ops_synth/conv_dw_pool_fc_softmax_16x8", "int16x8"),
        ("ops_synth/conv_dw_pool_fc_softmax_float", "float"),
        ("mlperf_tiny_derived/kws_dynamic_range", "dynamic"),
        ("tflm/hello_world_float", "float"),
    ],
)
def test_a_file_is_called_what_it_computes_in(name: str, expected: str, asset: Callable[[str], Path]) -> None:
    imported = import_model(asset(f"models/{name}.tflite"))
    assert precision_of(imported.graph) == expected
    assert precision_of(compile_model(imported, Settings(precision="as-is")).graph) == expected


@pytest.mark.parametrize("precision", ["int8", "int16x8", "dynamic", "float"])
def test_what_was_asked_for_is_what_it_is_called(precision: str) -> None:
    imported = import_model(DIGITS.with_suffix(".tflite"))
    data = load_data(DIGITS.with_suffix(".npz"), imported.graph)
    settings = Settings(precision=precision, calibration_samples=10)  # type: ignore[arg-type]
    assert precision_of(compile_model(imported, settings, data).graph) == precision


def test_some_layers_of_16_bits_are_mixed() -> None:
    imported = import_model(DIGITS.with_suffix(".tflite"))
    data = load_data(DIGITS.with_suffix(".npz"), imported.graph)
    layer = next(op.name for op in imported.graph.ops if op.kind == "conv2d")
    settings = Settings(calibration_samples=10, activations={layer: "int16"})
    assert precision_of(compile_model(imported, settings, data).graph) == "mixed"
