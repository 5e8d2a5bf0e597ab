"""Networks x cores: every network gives its recorded outputs on every core's emulated twin, value for value.

Generic boards have ample memory and run all of them, the largest for one sample; an AVR has the memory of the board
that one can buy, and runs what fits it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from compilers import needed_toolchain
from midge.boards import Qemu, Simavr, list_twin_boards, load_board
from midge.data import draw_inputs, load_data
from midge.errors import MissingExtraError
from midge.importers import import_model
from midge.measure.agreement import agreement
from midge.pipeline import compile_model
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.run.simavr.runner import find_runner
from midge.settings import Settings
from midge.verification import verify_model

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits"
MNIST = ("tinymaix/mnist_arduino_q", "tinymaix/mnist_dw_q", "tinymaix/mnist_valid_q")
NETWORKS = ("tflm/hello_world_int8", "mlperf_tiny/ad01_int8", "mlperf_tiny/kws_dscnn_int8", *MNIST)
LARGE = ("tflm/person_detect_int8",)
SMALL = {
    "uno": ("tflm/hello_world_int8", "tinymaix/mnist_arduino_q", "ops_synth/conv_dw_pool_fc_softmax_int8"),
    "mega2560": ("tflm/hello_world_int8", "tinymaix/mnist_dw_q"),
}
AMPLE = tuple(name for name in list_twin_boards() if name not in SMALL)
RUNS = [(network, core) for core in AMPLE for network in NETWORKS]
RUNS += [(network, board) for board, networks in SMALL.items() for network in networks]
SAMPLES = 2


@pytest.fixture
def core(request: pytest.FixtureRequest) -> str:
    """A board, named after its core where it is a generic one; skips where its compiler or its emulator is missing."""
    board = load_board(request.param)
    needed_toolchain(board.core)
    emulator = board.core.emulator
    if isinstance(emulator, Qemu) and shutil.which(emulator.command) is None:
        pytest.skip(f"needs {emulator.command}: sudo apt install {emulator.package}")
    if isinstance(emulator, Simavr):
        try:
            find_runner()
        except MissingExtraError as error:
            pytest.skip(f"needs simavr: {error.hint}")
    return board.name


@pytest.mark.parametrize(("network", "core"), RUNS, indirect=["core"])
def test_a_network_gives_its_goldens_on_every_core(network: str, core: str, asset: Callable[[str], Path]) -> None:
    _verify(asset(f"models/{network}.tflite"), core, SAMPLES)


@pytest.mark.parametrize("core", AMPLE, indirect=True)
@pytest.mark.parametrize("network", LARGE)
def test_a_large_network_gives_its_goldens_too(network: str, core: str, asset: Callable[[str], Path]) -> None:
    _verify(asset(f"models/{network}.tflite"), core, 1)


@pytest.mark.parametrize("core", sorted({*AMPLE, "mega2560"}), indirect=True)
def test_what_midge_has_quantized_gives_the_interpreters_outputs(core: str, tmp_path: Path) -> None:
    imported = import_model(DIGITS.with_suffix(".tflite"))
    data = load_data(DIGITS.with_suffix(".npz"), imported.graph)
    compiled = compile_model(imported, Settings(board=core, calibration_samples=20), data)
    with emulated_device(compiled, tmp_path) as device:
        for inputs in draw_inputs(compiled.graph, SAMPLES, seed=1):
            found = device.infer(inputs)
            assert agreement(found.outputs, Interpreter(compiled.graph).infer(inputs).outputs).mismatches == 0
            assert found.instructions > 10_000
        assert 0 < device.board.stack_high_water_bytes() < 4096


def _verify(model: Path, core: str, samples: int) -> None:
    settings = Settings(board=core, precision="as-is")
    found = verify_model(import_model(model), settings, "emulator", model.with_suffix(".npz"), samples)
    assert found.agreement.samples == samples
    assert found.agreement.mismatches == 0, f"first layer that differs: {found.first_layer}"
