"""Whole ONNX models against their recorded outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midge.data import load_golden
from midge.errors import UnsupportedModelError
from midge.importers import import_model
from midge.interpreter import interpret
from midge.measure.agreement import agreement
from midge.passes import CANONICALIZE, run_passes
from midge.pipeline import compile_model
from midge.run.devices import native_device
from midge.run.onnx_reference import OnnxReference
from midge.settings import Settings
from midge.verification import verify_model

FLOAT = (
    "hello_world_sine",
    "micro_kws_m_static_fp32",
    "mnist8_cnn",
    "mnist_binary_pytorch_bn_mlp",
    "mnist_simplified_14x14",
)
QUANTIZED = "micro_kws_m_static_qdq"
# Channels first, so that transposes have to go.
VISION = ("micro_kws_m_static_fp32", QUANTIZED, "mnist8_cnn", "mnist_simplified_14x14")


def model(assets: Path, name: str) -> Path:
    return assets / "models" / "onnx" / f"{name}.onnx"


@pytest.mark.parametrize("place", ["interpreter", "native"])
@pytest.mark.parametrize("name", FLOAT)
def test_a_float_model_gives_the_recorded_outputs(name: str, place: str, assets: Path) -> None:
    path = model(assets, name)
    samples = None if place == "interpreter" else 5
    found = verify_model(import_model(path), Settings(precision="as-is"), place, path.with_suffix(".npz"), samples)
    assert found.agreement.samples > 0
    assert found.agreement.mismatches == 0


@pytest.mark.parametrize("place", ["interpreter", "native"])
def test_a_model_with_open_dimensions_gives_the_recorded_outputs_once_they_are_said(place: str, assets: Path) -> None:
    path = model(assets, "lstm_k1")
    with pytest.raises(UnsupportedModelError, match="dimension 1 is dynamic") as caught:
        import_model(path)
    assert "--input-shape" in caught.value.message
    imported = import_model(path, {"input_1": (1, 7, 5)})
    found = verify_model(imported, Settings(precision="as-is"), place, path.with_suffix(".npz"), 5)
    assert (found.agreement.samples, found.agreement.mismatches) == (5, 0)


def test_every_recorded_onnx_model_is_tested(assets: Path) -> None:
    assert {path.stem for path in (assets / "models" / "onnx").glob("*.onnx")} == {*FLOAT, QUANTIZED, "lstm_k1"}


@pytest.mark.parametrize("name", VISION)
def test_no_transpose_is_left_in_a_model_with_channels_first(name: str, assets: Path) -> None:
    graph = run_passes(import_model(model(assets, name)).graph, CANONICALIZE)
    assert [op.name for op in graph.ops if op.kind == "transpose"] == []


def test_a_quantized_model_equals_the_definition_and_is_a_step_from_the_fused_runtime(
    assets: Path, tmp_path: Path
) -> None:
    """The recorded outputs are of a runtime that fuses QDQ into integer kernels, which round elsewhere."""
    path = model(assets, QUANTIZED)
    imported = import_model(path)
    compiled = compile_model(imported, Settings(precision="as-is"))
    reference = OnnxReference(path, imported.graph)
    step = 1.5 / 255
    with native_device(compiled, tmp_path, sanitize=True) as device:
        for inputs, outputs in load_golden(path.with_suffix(".npz"), imported.graph)[:5]:
            expected = reference.run(inputs)
            assert agreement(interpret(compiled.graph, inputs), expected).mismatches == 0
            assert agreement(device.infer(inputs).outputs, expected).mismatches == 0
            np.testing.assert_allclose(expected[0], outputs[0], atol=step)
