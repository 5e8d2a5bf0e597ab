"""Networks on an Uno's 2 KB of RAM and a Mega's 8, in simavr: exact, as small as promised, and refused in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.cli.fit import facts
from midge.data import load_data
from midge.errors import DoesNotFitError, MidgeError
from midge.exporters.tflite_file import tflite_file
from midge.importers import Imported, import_model
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.formats import SourceOp
from midge.pipeline import compile_model, run_model
from midge.report.console import report_text
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner
from midge.settings import Goal, Settings
from midge.tune.every_board import fit_boards
from midge.verification import verify_model

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
HELLO = "models/tflm/hello_world_int8.tflite"
# Of the whole firmware with the protocol, and of the model alone; RAM with the stack.
FIRMWARE_FLASH, FIRMWARE_RAM = 6144, 700
LIBRARY_FLASH, LIBRARY_RAM = 2048, 200
# Takes a byte from the line (firmware/port/simavr/port.c), and runs once.
BARE_MAIN = """
#include "model/model.h"
int main(void) {
    for (;;) {
        if (*(volatile uint8_t *)0xE0 != 0) {
            (void)*(volatile uint8_t *)0xE1;
            PREFIX_run();
        }
    }
}
"""


@pytest.fixture(autouse=True)
def tools() -> None:
    """Skips where there is no compiler or no simavr."""
    try:
        find_runner()
        find_toolchain(load_board("uno").core)
    except MidgeError as error:
        if "apt install" not in error.hint:
            raise
        pytest.skip(f"needs what is not installed: {error.hint}")


def test_digits_in_a_version_for_2_kb_of_ram_runs_on_an_uno(tmp_path: Path) -> None:
    imported = import_model(DIGITS / "digits_small.tflite")
    data = load_data(DIGITS / "digits.npz", imported.graph)
    report = run_model(compile_model(imported, Settings(board="uno"), data), data, tmp_path, samples=20)
    assert report.exact.mismatches == 0
    assert report.accuracy is not None
    assert report.accuracy.device == report.accuracy.integer
    assert report.accuracy.device >= 95
    assert report.ram.total_bytes < 1536
    assert report.latency_is == "exact"
    assert report.latency_us == pytest.approx(report.cycles.total / 16)
    layers = sum(layer.cycles for layer in report.cycles.per_layer)
    assert 0 <= report.cycles.total - layers < 1000
    assert "exact at 16 MHz" in report_text(report)
    assert "exact cycles (simavr)" in report_text(report)


def test_digits_itself_is_too_large_for_an_uno_and_fit_says_by_how_much() -> None:
    imported = import_model(DIGITS / "digits.tflite")
    data = load_data(DIGITS / "digits.npz", imported.graph)
    uno, mega = fit_boards(imported, Settings(calibration_samples=20), ["uno", "mega2560"], data)
    assert not uno.fits
    assert uno.sizes == "linked"
    assert "bytes of RAM too many" in uno.advice
    assert mega.fits
    assert facts(mega)["latency_is"] == "exact"
    assert "exact cycles (simavr)" in facts(mega)["basis"]


def test_hello_world_is_small_on_an_uno(asset: Callable[[str], Path], tmp_path: Path) -> None:
    imported = import_model(asset(HELLO))
    compiled = compile_model(imported, Settings(board="uno", precision="as-is"))
    report = run_model(compiled, None, tmp_path, samples=20)
    assert report.exact.mismatches == 0
    assert report.flash.total_bytes <= FIRMWARE_FLASH
    assert report.ram.total_bytes <= FIRMWARE_RAM


def test_hello_world_alone_is_smaller_still(asset: Callable[[str], Path], tmp_path: Path) -> None:
    compiled = compile_model(import_model(asset(HELLO)), Settings(board="uno", precision="as-is"))
    prefix, board = compiled.program.prefix, compiled.board
    sources = {**compiled.sources, "main.c": BARE_MAIN.replace("PREFIX", prefix)}
    image = compile_firmware(sources, board, find_toolchain(board.core), tmp_path)
    with closing(SimavrBoard(image, board)) as emulated:
        emulated.watch(f"{prefix}_run")
        emulated.write(b"!")
        assert emulated.read(1) == b""
        assert emulated.calls(f"{prefix}_run")[0].cost.instructions > 1_000
        stack = emulated.stack_high_water_bytes()
    assert image.flash.total_bytes <= LIBRARY_FLASH
    assert image.ram.model_bytes + image.ram.harness_bytes + stack <= LIBRARY_RAM


@pytest.mark.parametrize("optimize", ["speed", "size"])
@pytest.mark.parametrize("name", ["mnist_arduino_q", "mnist_valid_q"])
def test_a_network_for_mnist_runs_exactly_on_an_uno(
    asset: Callable[[str], Path], tmp_path: Path, name: str, optimize: Goal
) -> None:
    model = import_model(asset(f"models/tinymaix/{name}.tflite"))
    report = run_model(
        compile_model(model, Settings(board="uno", precision="as-is", optimize=optimize)), None, tmp_path, samples=2
    )
    assert report.exact.mismatches == 0
    assert report.ram.total_bytes <= 2048
    assert report.flash.total_bytes <= 32256
    layers = report.cycles.per_layer
    assert all(layer.kernel_is_reported for layer in layers)
    kernels = {layer.kernel for layer in layers if layer.macs}
    assert kernels <= {"avr_line_short" if optimize == "size" else "avr_line", "avr_row", "avr_stream"}
    assert "avr_line_short" in kernels or optimize == "speed"
    assert "as the firmware names them over the link" in report_text(report)


def test_a_keyword_network_runs_exactly_on_a_mega(asset: Callable[[str], Path]) -> None:
    model = asset("models/tflm/micro_speech_int8.tflite")
    settings = Settings(board="mega2560", precision="as-is")
    found = verify_model(import_model(model), settings, "emulator", model.with_suffix(".npz"), samples=1)
    assert found.agreement.samples == 1
    assert found.agreement.mismatches == 0


def test_an_input_larger_than_the_ram_beside_the_arena_streams_into_its_tensor(tmp_path: Path) -> None:
    compiled = compile_model(_dense(tmp_path, (1300, 6)), Settings(board="uno", precision="as-is"))
    report = run_model(compiled, None, tmp_path / "build", samples=3)
    (given,) = compiled.program.inputs
    assert compiled.board.ram_bytes - compiled.program.arena_bytes < given.bytes == 1300
    assert report.ram.total_bytes <= compiled.board.ram_bytes
    assert (report.exact.samples, report.exact.mismatches) == (3, 0)


@pytest.mark.parametrize("zero_point", [3, -128])
def test_constants_beyond_64_kb_are_reached(tmp_path: Path, zero_point: int) -> None:
    imported = _dense(tmp_path, (100, 310, 100, 310), zero_point)
    compiled = compile_model(imported, Settings(board="mega2560", precision="as-is"))
    assert compiled.program.constant_bytes > 2**16
    report = run_model(compiled, None, tmp_path / "build", samples=1)
    assert report.exact.mismatches == 0
    assert report.exact.values == 310


def test_constants_that_are_far_cost_little(
    asset: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = import_model(asset("models/tinymaix/mnist_arduino_q.tflite"))
    compiled = compile_model(model, Settings(board="mega2560", precision="as-is"))
    near = run_model(compiled, None, tmp_path / "near", samples=2)
    far = {"MIDGE_FLASH": "__memx", "MIDGE_FLASH_FAR": "1"}
    monkeypatch.setattr("midge.run.devices.far_constants", lambda program, board: far)
    report = run_model(compiled, None, tmp_path / "far", samples=2)
    assert report.exact.mismatches == 0
    assert near.cycles.total is not None
    assert report.cycles.total is not None
    assert near.cycles.total < report.cycles.total < 1.1 * near.cycles.total


def test_constants_of_a_layer_that_the_compiler_cannot_have_are_refused_in_words(tmp_path: Path) -> None:
    imported = _dense(tmp_path, (160, 210))
    compiled = compile_model(imported, Settings(board="mega2560", precision="as-is"))
    with pytest.raises(DoesNotFitError, match=r"layer .* have 34,230 bytes, and an array has 32,767"):
        run_model(compiled, None, tmp_path / "build", samples=1)
    (fit,) = fit_boards(imported, Settings(precision="as-is"), ["mega2560"], None)
    assert not fit.fits
    assert "another core" in fit.advice


def _dense(folder: Path, widths: Sequence[int], zero_point: int = 3) -> Imported:
    """A chain of fully connected layers with drawn weights."""
    rng = np.random.default_rng(1)
    activation = Quant.per_tensor(0.05, zero_point)
    tensors = [Tensor(f"t{i}", (1, width), DType.S8, activation) for i, width in enumerate(widths)]
    operators = []
    for i, (before, after) in enumerate(pairwise(tensors)):
        shape = (after.shape[1], before.shape[1])
        weights = rng.integers(-127, 128, shape).astype(np.int8)
        bias = rng.integers(-2000, 2000, shape[0]).astype(np.int32)
        constants = (
            Tensor(f"w{i}", shape, DType.S8, Quant.per_tensor(0.01, 0), weights),
            Tensor(f"b{i}", shape[:1], DType.S32, Quant.per_tensor(0.0005, 0), bias),
        )
        attributes = {"FusedActivationFunction": 0, "WeightsFormat": 0, "KeepNumDims": False}
        operators.append(SourceOp("FULLY_CONNECTED", f"op{i}", (before, *constants), (after,), attributes))
    path = folder / "dense.tflite"
    path.write_bytes(tflite_file(operators, [tensors[0]], [tensors[-1]]))
    return import_model(path)
