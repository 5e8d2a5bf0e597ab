"""Boards in simavr behind a TCP port, for tests: midge's runner, and boot loaders to flash through."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from midge.errors import MissingExtraError
from midge.run.simavr.runner import find_runner

BOOTLOADERS = Path("/usr/share/arduino/hardware/arduino/avr/bootloaders")
_OPTIBOOT_FLAGS = (
    *("-w", "-Os", "-fno-inline-small-functions", "-fno-split-wide-types", "-mshort-calls", "-mmcu=atmega328p"),
    # Without the three flashes of the LED it is small enough for its 512 bytes with this compiler.
    *("-DF_CPU=16000000L", "-DLED_START_FLASHES=0", "-DBAUD_RATE=115200", "-nostartfiles", "-Wl,--relax"),
    *("-Wl,--section-start=.text=0x7e00", "-Wl,--section-start=.version=0x7ffe"),
)
_HEX_SECTIONS = ("-j", ".text", "-j", ".data", "-j", ".version", "--set-section-flags", ".version=alloc,load")


def runner() -> Path:
    """The runner; skips where it cannot be compiled."""
    if shutil.which("avr-gcc") is None:
        pytest.skip("needs gcc-avr: apt install -y $(cat .ci/packages.txt)")
    try:
        return find_runner()
    except MissingExtraError as problem:
        pytest.skip(f"needs simavr: {problem.hint}")


@contextmanager
def simavr(mcu: str, *hex_files: Path) -> Iterator[str]:
    """A running board with these files in its flash; gives host:port of its UART. Connecting resets it."""
    command = [str(runner()), mcu, "16000000", "--listen", *map(str, hex_files)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().split()[1]}"
    finally:
        process.kill()
        process.wait()


def bootloader(mcu: str, folder: Path) -> Path:
    """The boot loader of the Uno or the Mega as an Intel hex file that simavr reads: without start addresses."""
    target = folder / f"boot-{mcu}.hex"
    source = BOOTLOADERS / "stk500v2" / "stk500boot_v2_mega2560.hex"
    if mcu == "atmega328p":
        elf, source = folder / "optiboot.elf", folder / "optiboot.hex"
        optiboot = BOOTLOADERS / "optiboot" / "optiboot.c"
        subprocess.run(["avr-gcc", *_OPTIBOOT_FLAGS, str(optiboot), "-o", str(elf)], check=True, timeout=60)
        subprocess.run(["avr-objcopy", *_HEX_SECTIONS, "-O", "ihex", str(elf), str(source)], check=True, timeout=60)
    lines = [line for line in source.read_text().splitlines() if line[7:9] not in ("03", "05")]
    target.write_text("\n".join(lines) + "\n")
    return target
