"""Whole models as C against recorded outputs of TensorFlow Lite's reference kernels: every golden sample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from golden.whole_models import DYNAMIC, FLOAT, FLOAT_AGAIN, INT8, INT16, INT16_QUICK, STREAMS
from midge.errors import ToolchainError
from midge.importers import Imported, import_model
from midge.settings import Settings
from midge.verification import verify_model
from thoroughness import draws

pytestmark = pytest.mark.thorough

# Float kernels have no rounding cases to hit: two samples show as much as all.
FLOAT_SAMPLES = 2
FLOATS = [*FLOAT, *(pytest.param(name, marks=pytest.mark.long) for name in FLOAT_AGAIN)]
# Of a large model a few samples of each kind; the interpreter gives them all, and the long target asks every device.
LARGE, LARGE_SAMPLES = 1_000_000, draws(5, 1000)
# Of the int16 models the large ones, and second ones of an operator, are left to the long target.
INTEGER = [*INT8, *(pytest.param(n, marks=[] if n in INT16_QUICK else pytest.mark.long) for n in INT16)]


def _few(golden: Path, imported: Imported, folder: Path) -> Path:
    """The recorded samples; of a large model the first of them."""
    if imported.graph.macs < LARGE:
        return golden
    few = folder / golden.name
    with np.load(golden) as arrays:
        np.savez(few, **{name: values[:LARGE_SAMPLES] for name, values in arrays.items()})
    return few


def _file(assets: Path, name: str, kind: str) -> Path:
    records = {m["name"]: m for m in json.loads((assets / "models" / "models.json").read_text())}
    return assets / str(records[name][kind])


@pytest.mark.parametrize("name", INTEGER)
def test_an_integer_model_gives_every_golden_byte_on_the_emulated_core(name: str, assets: Path, tmp_path: Path) -> None:
    imported = import_model(_file(assets, name, "file"))
    golden = _few(_file(assets, name, "npz"), imported, tmp_path)
    found = verify_model(imported, Settings(precision="as-is"), "emulator", golden)
    assert found.agreement.samples > 0
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"


@pytest.mark.parametrize("name", INTEGER)
def test_an_integer_model_gives_every_golden_byte_under_sanitizers(name: str, assets: Path, tmp_path: Path) -> None:
    imported = import_model(_file(assets, name, "file"))
    golden = _few(_file(assets, name, "npz"), imported, tmp_path)
    try:
        found = verify_model(imported, Settings(precision="as-is"), "native", golden, sanitize=True)
    except ToolchainError as problem:
        if "AddressSanitizer" not in str(problem):
            raise
        pytest.skip(f"needs a host compiler with sanitizers: {problem.hint}")
    assert found.agreement.samples > 0
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"


@pytest.mark.parametrize("place", ["native", "emulator"])
@pytest.mark.parametrize("name", FLOATS)
def test_a_float_model_stays_within_the_tolerance(name: str, place: str, assets: Path) -> None:
    model, golden = _file(assets, name, "file"), _file(assets, name, "npz")
    settings = Settings(precision="as-is")
    found = verify_model(import_model(model), settings, place, golden, samples=FLOAT_SAMPLES, sanitize=False)
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"


@pytest.mark.parametrize("place", ["native", "emulator"])
@pytest.mark.parametrize("name", DYNAMIC)
def test_a_model_of_dynamic_range_is_within_a_hundredth(name: str, place: str, assets: Path) -> None:
    """A value that lies between two integers may go to either where a float layer comes before: hence no less."""
    model, golden = _file(assets, name, "file"), _file(assets, name, "npz")
    imported, settings = import_model(model), Settings(precision="as-is")
    found = verify_model(imported, settings, place, golden, samples=FLOAT_SAMPLES, sanitize=False)
    with np.load(golden) as arrays:
        largest = np.abs(arrays["rand_out0"]).max()
    assert found.agreement.max_difference <= 0.01 * largest


@pytest.mark.parametrize("place", ["interpreter", "native", "emulator"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_network_that_remembers_gives_every_golden_byte_of_a_stream(name: str, place: str, assets: Path) -> None:
    model, golden = _file(assets, name, "file"), _file(assets, name, "npz")
    settings = Settings(precision="as-is")
    try:
        found = verify_model(import_model(model), settings, place, golden, sequence=True)
    except ToolchainError as problem:
        pytest.skip(f"needs a host compiler with sanitizers: {problem.hint}")
    assert found.agreement.samples > 1
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"
