"""Whole models as C against recorded outputs of TensorFlow Lite's reference kernels: every golden sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midge.errors import ToolchainError
from midge.importers import import_model
from midge.settings import Settings
from midge.verification import verify_model

INT8 = (
    "ad01_int8",
    "ad01_int8_floatio",
    "ic_resnet8_int8",
    "kws_dscnn_int8",
    "kws_int8_perchannel_cal100",
    "kws_int8_pertensor_cal100",
    "vww96_int8",
    "sww_ref_int8",
    "hello_world_int8",
    "simple_add_int8",
    "micro_speech_int8",
    "person_detect_int8",
    "mnist_arduino_q",
    "mnist_dw_q",
    "mnist_valid_q",
    "cifar10_q",
    "conv1d_dilated_int8",
    "conv_dw_pool_fc_softmax_int8",
    "two_in_two_out_int8",
)
FLOAT = (
    "ad01_fp32",
    "kws_float32_true",
    "sww_float32",
    "hello_world_float",
    "mnist_dw_f",
    "mnist_valid_f",
    "conv1d_dilated_float",
    "conv_dw_pool_fc_softmax_float",
    "two_in_two_out_float",
)
# A whole golden file of float models takes minutes in soft loops under sanitizers: a few samples show as much.
FLOAT_SAMPLES = 5


def _file(assets: Path, name: str, kind: str) -> Path:
    records = {m["name"]: m for m in json.loads((assets / "models" / "models.json").read_text())}
    return assets / str(records[name][kind])


@pytest.mark.parametrize("name", INT8)
def test_an_int8_model_gives_every_golden_byte_on_the_emulated_core(name: str, assets: Path) -> None:
    model, golden = _file(assets, name, "file"), _file(assets, name, "npz")
    found = verify_model(import_model(model), Settings(precision="as-is"), "emulator", golden)
    assert found.agreement.samples > 0
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"


@pytest.mark.parametrize("name", INT8)
def test_an_int8_model_gives_every_golden_byte_under_sanitizers(name: str, assets: Path) -> None:
    model, golden = _file(assets, name, "file"), _file(assets, name, "npz")
    try:
        found = verify_model(import_model(model), Settings(precision="as-is"), "native", golden, sanitize=True)
    except ToolchainError as problem:
        if "AddressSanitizer" not in str(problem):
            raise
        pytest.skip(f"needs a host compiler with sanitizers: {problem.hint}")
    assert found.agreement.samples > 0
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"


@pytest.mark.parametrize("place", ["native", "emulator"])
@pytest.mark.parametrize("name", FLOAT)
def test_a_float_model_stays_within_the_tolerance(name: str, place: str, assets: Path) -> None:
    model, golden = _file(assets, name, "file"), _file(assets, name, "npz")
    settings = Settings(precision="as-is")
    found = verify_model(import_model(model), settings, place, golden, samples=FLOAT_SAMPLES, sanitize=False)
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"
