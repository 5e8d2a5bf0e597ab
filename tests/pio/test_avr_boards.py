"""Uno and Mega: built by PlatformIO without a network, flashed by avrdude, measured through their serial port."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import serial

from counting_port import requests_repeated
from midge.build.platformio import build_project, upload_project
from midge.build.stock_sizes import stock_flash, stock_ram
from midge.errors import DoesNotFitError, LinkError, ToolchainError
from midge.importers import import_model
from midge.pipeline import Compiled, compile_model, run_on_board
from midge.run.board import write_project
from midge.run.device import Interpreter
from midge.settings import Settings
from midge.verification import BOARD, verify_model
from mlperf_runner import Runner
from pio.conftest import HELLO, Built
from simavr.board import bootloader, simavr

# With the serial port of the Arduino core.
FIRMWARE_FLASH, FIRMWARE_RAM = 6144, 700
LIBRARY_FLASH, LIBRARY_RAM = 2048, 200
# One byte over the UART: how deep the stack got, main() itself included.
_TELLS_ITS_STACK = """
#include <avr/io.h>
extern uint8_t __heap_start;
int main(void) {
    for (uint8_t *at = &__heap_start; at < (uint8_t *)SP; at++) *at = 0xA5;
    %s
    uint8_t *at = &__heap_start;
    while (*at == 0xA5) at++;
    UCSR0B = _BV(TXEN0);
    UDR0 = (uint8_t)(RAMEND - (uint16_t)at + 1);
    for (;;) { }
}
"""


def _compiled(model: Path, board: str) -> Compiled:
    return compile_model(import_model(model), Settings(board=board, precision="as-is"))


def test_hello_world_fits_an_uno_with_room_to_spare(hello_on_uno: Built) -> None:
    compiled, _, image = hello_on_uno
    flash, ram = stock_flash(image, compiled.program.prefix), stock_ram(image, compiled.program.prefix)
    assert flash.total_bytes <= FIRMWARE_FLASH
    assert ram.total_bytes <= FIRMWARE_RAM
    assert ram.model_bytes == compiled.program.arena_bytes
    assert flash.const_bytes >= compiled.program.constant_bytes - 8  # equal small arrays may be joined


def test_hello_world_as_a_bare_library_is_smaller_still(hello_on_uno: Built, tmp_path: Path) -> None:
    compiled, folder, _ = hello_on_uno
    sources = folder / "lib" / compiled.program.prefix / "src"
    run = f"{compiled.program.prefix}_run();"
    sizes = {}
    for name, main in {"bare": f"int main(void) {{ {run} for (;;) {{ }} }}", "painted": _TELLS_ITS_STACK % run}.items():
        (tmp_path / f"{name}.c").write_text(f'#include "model.h"\n{main}\n')
        command = ["avr-gcc", "-mmcu=atmega328p", "-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", f"-I{sources}"]
        command += ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-o", f"{name}.elf", f"{name}.c"]
        subprocess.run([*command, *map(str, sources.glob("*.c"))], cwd=tmp_path, check=True, timeout=60)
        said = subprocess.run(["avr-size", f"{name}.elf"], cwd=tmp_path, check=True, capture_output=True, text=True)
        sizes[name] = tuple(map(int, said.stdout.splitlines()[1].split()[:3]))
    subprocess.run(["avr-objcopy", "-O", "ihex", "painted.elf", "painted.hex"], cwd=tmp_path, check=True, timeout=60)
    board = simavr("atmega328p", tmp_path / "painted.hex")
    with board as line, serial.serial_for_url(f"socket://{line}", timeout=20) as port:
        (stack,) = port.read(1)
    text, data, bss = sizes["bare"]
    assert text + data <= LIBRARY_FLASH
    assert stack > 20
    assert data + bss + stack <= LIBRARY_RAM


def test_the_arduino_example_builds_as_a_sketch(asset: Callable[[str], Path], tmp_path: Path) -> None:
    compiled = _compiled(asset(HELLO), "uno")
    write_project(compiled, tmp_path)
    shutil.rmtree(tmp_path / "src")
    prefix = compiled.program.prefix
    example = tmp_path / "lib" / prefix / "examples" / prefix / f"{prefix}.ino"
    (tmp_path / "src").mkdir()
    # The measuring hook is the firmware's own.
    (tmp_path / "platformio.ini").write_text((tmp_path / "platformio.ini").read_text().replace("-DMIDGE_PROFILE", ""))
    shutil.copy(example, tmp_path / "src" / f"{prefix}.ino")
    image = build_project(tmp_path, compiled.board, print)
    assert stock_flash(image, prefix).code_bytes > 0


def test_an_uno_is_flashed_once_and_then_known(hello_on_uno: Built, tmp_path: Path) -> None:
    said: list[str] = []
    compiled = hello_on_uno.compiled
    with simavr("atmega328p", bootloader("atmega328p", tmp_path)) as line:
        first = run_on_board(compiled, None, f"socket://{line}", said.append, samples=20)
        second = run_on_board(compiled, None, f"socket://{line}", said.append, samples=20)
    assert first.exact.mismatches == second.exact.mismatches == 0
    assert first.exact.values == 20
    assert sum(text.startswith("flashing") for text in said) == 1
    assert "the board runs this model already" in said
    # The simulated core counts exactly; what varies is which activations are zero, and costs nothing then.
    assert first.clock.kind == "seconds"
    assert first.latency is not None
    assert first.latency.min_us <= first.latency.median_us <= first.latency.p99_us < 2 * first.latency.min_us
    assert first.cycles.total == pytest.approx(3_900, rel=0.3)


@pytest.mark.long
def test_an_uno_takes_a_thousand_samples_without_a_stall(hello_on_uno: Built) -> None:
    firmware = hello_on_uno.folder / ".pio" / "build" / "uno" / "firmware.hex"
    with simavr("atmega328p", firmware) as line, serial.serial_for_url(f"socket://{line}") as port:
        assert requests_repeated(port, 1000) == 0


def test_a_mega_is_flashed_and_proven(asset: Callable[[str], Path], tmp_path: Path) -> None:
    model = import_model(asset("models/ops_synth/conv_dw_pool_fc_softmax_int8.tflite"))
    settings = Settings(board="mega2560", precision="as-is")
    with simavr("atmega2560", bootloader("atmega2560", tmp_path)) as line:
        found = verify_model(model, settings, BOARD, samples=3, port=f"socket://{line}")
    assert found.agreement.samples == 3
    assert found.agreement.mismatches == 0


def test_an_image_network_gives_exact_outputs_on_an_uno(asset: Callable[[str], Path], tmp_path: Path) -> None:
    imported = import_model(asset("models/tinymaix/mnist_arduino_q.tflite"))
    settings = Settings(board="uno", precision="as-is")
    compiled = compile_model(imported, settings)
    write_project(compiled, tmp_path)
    build_project(tmp_path, compiled.board, print)
    with simavr("atmega328p", tmp_path / ".pio" / "build" / "uno" / "firmware.hex") as line:
        found = verify_model(imported, settings, BOARD, samples=3, port=f"socket://{line}")
    assert found.agreement.mismatches == 0


def test_the_runner_of_mlperf_tiny_drives_an_uno(asset: Callable[[str], Path], tmp_path: Path) -> None:
    settings = Settings(board="uno", precision="as-is", protocol="mlperf-tiny")
    compiled = compile_model(import_model(asset(HELLO)), settings)
    write_project(compiled, tmp_path)
    build_project(tmp_path, compiled.board, print)
    (quant,) = (compiled.graph.tensors[name].quant for name in compiled.graph.outputs)
    assert quant is not None
    firmware = tmp_path / ".pio" / "build" / "uno" / "firmware.hex"
    with simavr("atmega328p", firmware) as line, serial.serial_for_url(f"socket://{line}") as port:
        runner = Runner(port)
        assert runner.lines()[-1] == "m-init-done"
        assert runner.meet() == "midge"
        for value in (0, 100, 255):
            runner.load(bytes([value]))
            (result,), microseconds = runner.infer(100, 1)
            (expected,) = Interpreter(compiled.graph).infer([np.array([[value]], np.uint8).view(np.int8)]).outputs
            assert result == pytest.approx((int(expected[0, 0]) - quant.zero_points[0]) * quant.scale, abs=0.00051)
            assert microseconds == pytest.approx(300, rel=0.2)


def test_a_firmware_that_is_too_large_names_its_largest_parts(asset: Callable[[str], Path], tmp_path: Path) -> None:
    compiled = _compiled(asset(HELLO), "uno")
    write_project(compiled, tmp_path)
    ballast = "#include <avr/pgmspace.h>\nconst char ballast[%d] PROGMEM __attribute__((used)) = {1};\n"
    (tmp_path / "src" / "ballast.c").write_text(ballast % 26500)
    with pytest.raises(DoesNotFitError, match=r"does not fit uno .*\n +26,500 bytes  ballast"):
        build_project(tmp_path, compiled.board, print)
    # More than the chip itself has: the linker gives up, and only its inputs are there.
    (tmp_path / "src" / "ballast.c").write_text(ballast % 32700)
    with pytest.raises(DoesNotFitError, match="does not fit uno") as error:
        build_project(tmp_path, compiled.board, print)
    assert "__gnu_lto" not in str(error.value)


def test_a_board_that_is_not_there_is_missed(hello_on_uno: Built, tmp_path: Path) -> None:
    compiled, folder, _ = hello_on_uno
    with pytest.raises(LinkError, match=r"there is no Arduino Uno at .*nowhere .*No such file"):
        upload_project(folder, compiled.board, str(tmp_path / "nowhere"), print)


@pytest.mark.long  # PlatformIO waits for a minute
def test_a_package_that_cannot_be_fetched_is_told(
    asset: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = _compiled(asset(HELLO), "uno")
    write_project(compiled, tmp_path / "project")
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    said: list[str] = []
    with pytest.raises(ToolchainError, match=r"cannot fetch atmelavr @ \^5.0.0 for uno"):
        build_project(tmp_path / "project", compiled.board, said.append)
    assert said[0].startswith("PlatformIO fetches compiler and framework of uno")
    assert "without a network PlatformIO gives up after a minute" in said[-1]
