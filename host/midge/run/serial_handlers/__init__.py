"""emu:// for pyserial: an emulated board is a serial port like any other.

    emu://NAME                              a running board; `attach` gives it its name
    emu:///path/firmware.elf?board=BOARD    that ELF file on that board, built when the port opens

`register` makes pyserial find the handler (protocol_emu.py); `attach` calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Protocol

import serial


class Line(Protocol):
    """The host's end of an emulated serial line, as `midge.run.emulator.EmulatedBoard` has it."""

    def write(self, data: bytes) -> None:
        """Put bytes on the line."""

    def read(self, max_bytes: int) -> bytes:
        """Run until that many bytes have come back or the board waits for input."""

    def output_waiting(self) -> int:
        """Run until the board waits for input; how many bytes it has sent."""

    def discard_output(self) -> None:
        """Forget what the board has sent so far."""


_attached: dict[str, Line] = {}
_numbers = count(1)


def register() -> None:
    """Let `serial.serial_for_url` know emu:// URLs. More than once does no harm."""
    if __name__ not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(__name__)


@contextmanager
def attach(line: Line) -> Iterator[str]:
    """Make a running board reachable; gives the URL, which is good until the end of the `with` block."""
    register()
    name = f"board-{next(_numbers)}"
    _attached[name] = line
    try:
        yield f"emu://{name}"
    finally:
        del _attached[name]


def attached(name: str) -> Line | None:
    """The board attached under that name."""
    return _attached.get(name)
