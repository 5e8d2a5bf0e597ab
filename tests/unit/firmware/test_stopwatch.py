"""The firmware's stopwatch against a clock that the test winds, and the boards' clocks as far as they compile."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from link_device import host_compiler
from midge.resources import firmware_dir

# Every reading takes 3 ticks, every call of the hook 10.
_HARNESS = """
#include "link/stopwatch.h"
#include "port/wide.h"
static uint64_t clock_ticks;
midge_ticks midge_port_ticks(void) { return clock_ticks += 3; }
static midge_ticks layer_ticks[3];
static midge_stopwatch watch = {.layer_ticks = layer_ticks};
static void after_layer(int layer) {
    clock_ticks += 10;
    midge_stopwatch_lap(&watch, (uint16_t)layer);
}
uint64_t timed(uint64_t begin, const uint64_t *work, int layers, uint64_t *found) {
    clock_ticks = begin;
    midge_stopwatch_start(&watch, after_layer);
    for (int i = 0; i < layers; i++) {
        if (midge_layers_begun != i + 1) return 0;
        clock_ticks += work[i];
        after_layer(i);
    }
    uint64_t total = midge_stopwatch_stop(&watch);
    for (int i = 0; i < layers; i++) found[i] = layer_ticks[i];
    return midge_layers_begun == layers + 1 ? total : 0;
}
uint64_t widened(uint64_t last, uint32_t now) { return midge_widen(&last, now); }
"""

# As much of an Arduino core as port.cpp asks for.
_ARDUINO = """
#pragma once
#include <stddef.h>
#include <stdint.h>
struct Line { void begin(unsigned long); int read(); size_t write(const uint8_t *, size_t); };
extern Line Serial;
struct Chip { uint32_t getCycleCount(); uint8_t getCpuFreqMHz(); };
extern Chip ESP;
struct Timer { volatile uint32_t CTRL, LOAD, VAL; };
#define SysTick ((Timer *)0xE000E010)
unsigned long millis(); unsigned long micros();
#define SREG (*(volatile uint8_t *)0x5F)
extern "C" { void setup(void); void loop(void); }
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The stopwatch as a library."""
    folder = tmp_path_factory.mktemp("stopwatch")
    (folder / "harness.c").write_text(_HARNESS)
    sources = [folder / "harness.c", firmware_dir() / "link" / "stopwatch.c"]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", f"-I{firmware_dir()}"]
    subprocess.run([*host_compiler().command, *flags, *map(str, sources), "-o", str(folder / "clock.so")], check=True)
    library = ctypes.CDLL(str(folder / "clock.so"))
    library.timed.restype = library.widened.restype = ctypes.c_uint64
    library.widened.argtypes = [ctypes.c_uint64, ctypes.c_uint32]
    return library


@pytest.mark.parametrize("begin", [0, 2**32 - 100, 2**40])
def test_layers_take_what_they_take_without_the_timing(clock: ctypes.CDLL, begin: int) -> None:
    work, found = (100, 2**33, 0), (ctypes.c_uint64 * 3)()
    total = clock.timed(ctypes.c_uint64(begin), (ctypes.c_uint64 * 3)(*work), 3, found)
    assert tuple(found) == work
    assert total == sum(work)


def test_a_counter_of_32_bits_goes_on_counting(clock: ctypes.CDLL) -> None:
    assert clock.widened(5, 7) == 7
    assert clock.widened(2**32 - 1, 3) == 2**32 + 3
    assert clock.widened(7 * 2**32 + 9, 8) == 8 * 2**32 + 8


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("arm-none-eabi-g++", ["-mcpu=cortex-m4", "-mthumb"]),
        ("arm-none-eabi-g++", ["-mcpu=cortex-m0plus", "-mthumb", "-DARDUINO_ARCH_SAMD"]),
        ("arm-none-eabi-g++", ["-mcpu=cortex-m0plus", "-mthumb", "-DARDUINO_ARCH_MBED"]),
        ("riscv64-unknown-elf-g++", ["-march=rv32imc", "-mabi=ilp32", "-DARDUINO_ARCH_ESP32"]),
        ("xtensa-lx106-elf-g++", ["-DARDUINO_ARCH_ESP8266"]),
    ],
)
def test_each_boards_clock_compiles(command: str, flags: list[str], tmp_path: Path) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"needs {command}: apt install -y $(cat .ci/packages.txt)")
    (tmp_path / "Arduino.h").write_text(_ARDUINO)
    defines = ["-DMIDGE_PORT_SERIAL=Serial", "-DMIDGE_PORT_SPEED=115200", "-DMIDGE_PORT_CLOCK_HZ=48000000u"]
    source = firmware_dir() / "port" / "arduino" / "port.cpp"
    base = [command, *flags, *defines, "-std=gnu++11", "-ffreestanding", "-fno-exceptions", "-Os", "-Wall", "-Wextra"]
    includes = ["-Werror", f"-I{tmp_path}", f"-I{firmware_dir()}"]
    (tmp_path / "port").mkdir()
    shutil.copy(firmware_dir() / "port" / "arduino" / "arduino.h", tmp_path / "port")
    subprocess.run([*base, *includes, "-c", str(source), "-o", str(tmp_path / "port.o")], check=True)
