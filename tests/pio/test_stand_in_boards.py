"""Boards whose Arduino core Debian has not: the very project that a user gets, built by PlatformIO without a network
and run on the emulated core, every output exact. The Arduino core is a stand-in, the compilers are Debian's: of the
boards themselves this shows that midge's C and its project are right for their cores, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import serial

from midge.boards import Board, Qemu, list_boards, load_board
from midge.build.image import Image
from midge.build.platformio import build_project
from midge.build.stock_sizes import stock_flash, stock_ram
from midge.data import draw_inputs, load_data
from midge.errors import DoesNotFitError
from midge.importers import import_model
from midge.measure.agreement import agreement
from midge.pipeline import Compiled, compile_model
from midge.run.board import write_project
from midge.run.conversation import Conversation
from midge.run.device import Interpreter, LinkedDevice
from midge.run.emulator import EmulatedBoard
from midge.run.qemu import QemuBoard
from midge.run.serial_handlers import attach
from midge.settings import Settings

DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits"
# What emulates the board: itself where it has a twin, else the generic board of its core.
EMULATED = {
    name: name
    for name in (
        *("nano33ble", "pico", "esp32-c3-devkitm-1", "due", "nano_33_iot", "nucleo_f446re", "nucleo_l4r5zi"),
        *("portenta_h7_m7", "teensy41", "uno_r4_minima"),
    )
} | {"d1_mini": "xtensa-lx106"}
RELATIVES = {"esp32dev": "xtensa-lx6", "esp32-s2": "xtensa-lx106", "esp32-s3-devkitc-1": "xtensa-lx6"}
"""Xtensa cores whose compilers Debian has not: their projects in the code of the LX106."""
OF_CORES_BUILT_ANYWAY = {
    "nucleo_f446re",
    "nucleo_l4r5zi",
    "uno_r4_minima",
    "portenta_h7_m7",
    "esp32-s2",
    "esp32-s3-devkitc-1",
}
WITH_THEIR_CORE = {"uno", "mega2560"}
"""Those of test_avr_boards.py."""
SAMPLES = 3
_DWT = 0xE0001000
_CYCLE_COUNTER = 4
_SYSTEM_CONTROL = 0xE000E000
_SYSTICK_LOAD, _SYSTICK_VAL = 0x14, 0x18


def test_no_board_claims_more_than_these_tests_show() -> None:
    proven = {name: b.build.proven for name in list_boards() if (b := load_board(name)).platformio is not None}
    assert {name for name, how in proven.items() if how == "with a stand-in"} == set(EMULATED)
    assert {name for name, how in proven.items() if how == "for a relative"} == set(RELATIVES)
    assert {name for name, how in proven.items() if how == "with its core"} == WITH_THEIR_CORE


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name in OF_CORES_BUILT_ANYWAY else [])
        for name in (*EMULATED, *RELATIVES)
    ],
)
def test_the_stock_project_builds_and_gives_exact_outputs(name: str, tmp_path: Path) -> None:
    compiled = _digits(name)
    write_project(compiled, tmp_path)
    image = build_project(tmp_path, compiled.board, print)
    _inspect(compiled, image)
    with _running(image, load_board({**EMULATED, **RELATIVES}[name]), tmp_path) as port:
        conversation = Conversation(port, expect_hash=bytes.fromhex(compiled.program.hash))
        device = LinkedDevice(conversation, compiled.program.outputs)
        for inputs in draw_inputs(compiled.graph, SAMPLES, seed=5):
            found = device.infer(inputs)
            assert agreement(found.outputs, Interpreter(compiled.graph).infer(inputs).outputs).mismatches == 0
            assert found.total_ticks >= sum(found.layer_ticks) > 0


def test_constants_that_its_ram_cannot_hold_are_named(asset: Callable[[str], Path], tmp_path: Path) -> None:
    imported = import_model(asset("models/mlperf_tiny/ad01_int8.tflite"))
    compiled = compile_model(imported, Settings(board="d1_mini", precision="as-is"))
    write_project(compiled, tmp_path)
    with pytest.raises(DoesNotFitError, match=r"(?s)does not fit d1_mini .*overflowed|will not fit") as caught:
        build_project(tmp_path, compiled.board, print)
    largest = caught.value.message.splitlines()[1:]
    assert len(largest) == 5
    assert all(f"  {compiled.program.prefix}_" in line for line in largest)


def _digits(name: str) -> Compiled:
    imported = import_model(DIGITS.with_suffix(".tflite"))
    data = load_data(DIGITS.with_suffix(".npz"), imported.graph)
    return compile_model(imported, Settings(board=name, calibration_samples=20), data)


def _inspect(compiled: Compiled, image: Image) -> None:
    """The model is in it, whole, at a place of its own."""
    prefix, board = compiled.program.prefix, compiled.board
    assert image.symbol(f"{prefix}_run").is_function
    flash, ram = stock_flash(image, prefix), stock_ram(image, prefix)
    assert 3_000 < flash.code_bytes < 16_000
    assert compiled.program.constant_bytes - 32 <= flash.const_bytes <= 1.1 * compiled.program.constant_bytes
    assert flash.total_bytes <= board.flash_bytes
    assert ram.model_bytes == compiled.program.arena_bytes
    assert ram.total_bytes <= board.ram_bytes


@contextmanager
def _running(image: Image, board: Board, folder: Path) -> Iterator[serial.SerialBase]:
    """The firmware's serial port."""
    with ExitStack() as stack:
        if isinstance(board.twin.emulator, Qemu):
            yield stack.enter_context(closing(QemuBoard(image, board, folder))).port
            return
        emulated = EmulatedBoard(image, board)
        if board.core.name == "cortex-m0plus":
            _add_systick(emulated)
        elif board.twin.port == "cortex_m":
            _add_dwt(emulated)
        url = stack.enter_context(attach(emulated))
        yield stack.enter_context(serial.serial_for_url(url))


def _add_dwt(board: EmulatedBoard) -> None:
    """The debug unit that the emulator has not: its cycle counter, by which midge's Arduino port measures."""

    def read(engine: object, offset: int, size: int, data: object) -> int:
        return board.cycles & 0xFFFFFFFF if offset == _CYCLE_COUNTER else 0

    def write(engine: object, offset: int, size: int, value: int, data: object) -> None:
        pass

    board._engine.mmio_map(_DWT, 0x1000, read, None, write, None)


def _add_systick(board: EmulatedBoard) -> None:
    """The timer that the emulator has not, set to a millisecond as the SAM D's Arduino core does."""
    period = board.board.clock_hz // 1000

    def read(engine: object, offset: int, size: int, data: object) -> int:
        return {_SYSTICK_LOAD: period - 1, _SYSTICK_VAL: period - 1 - board.cycles % period}.get(offset, 0)

    def write(engine: object, offset: int, size: int, value: int, data: object) -> None:
        pass

    board._engine.mem_unmap(_SYSTEM_CONTROL, 0x1000)
    board._engine.mmio_map(_SYSTEM_CONTROL, 0x1000, read, None, write, None)
