"""What PlatformIO and its tools say in trouble, in their own words as they were seen, and what becomes of it."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

from midge.boards import load_board
from midge.build.image import Symbol
from midge.build.platformio_problems import Said, problem
from midge.errors import BoardError, DoesNotFitError, LinkError, MidgeError, ToolchainError

SYMBOLS = [Symbol(f"midge_x_{size}", 0, size, False) for size in (7, 900, 20, 4000, 31, 100, 8)]

# PlatformIO 6, no network: a minute of silence between the two lines.
NO_NETWORK = """
    Processing uno (platform: atmelavr @ ^5.0.0; board: uno; framework: arduino)
    --------------------------------------------------------------------------------
    Platform Manager: Installing atmelavr @ ^5.0.0
    HTTPClientError:
"""
NO_TOOL = """
    Processing uno (platform: atmelavr @ ^5.0.0; board: uno; framework: arduino)
    --------------------------------------------------------------------------------
    Tool Manager: Installing platformio/tool-avrdude @ ~1.0.0
    HTTPClientError:
"""
NO_SUCH_PACKAGE = """
    Tool Manager: Installing platformio/toolchain-nothing @ ~1.0.0
    UnknownPackageError: Could not find the package with 'platformio/toolchain-nothing @ ~1.0.0' requirements
"""
# A file system of 400 KB.
FULL = """
    Compiling .pio/build/uno/FrameworkArduino/Stream.cpp.o
    /tmp/cc8hO9Dg.s: Fatal error: can't close .pio/build/uno/FrameworkArduino/Stream.cpp.o: No space left on device
    OSError: [Errno 28] No space left on device:
      File "SCons/dblite.py", line 196, in sync
    OSError: [Errno 28] No space left on device
    ========================== [FAILED] Took 2.94 seconds ==========================
"""
NO_BOARD_ID = """
    Processing uno (platform: atmelavr @ ^5.0.0; board: unu; framework: arduino)
    Verbose mode can be enabled via `-v, --verbose` option
    Error: Unknown board ID 'unu'
    ========================== [FAILED] Took 0.81 seconds ==========================
"""
NO_FRAMEWORK = """
     - toolchain-atmelavr @ 1.0.0
    Error: This board doesn't support mbed framework!
    ========================== [FAILED] Took 0.68 seconds ==========================
"""
CHECKED = """
    Checking size .pio/build/uno/firmware.elf
    RAM:   [==        ]  22.7% (used 464 bytes from 2048 bytes)
    Flash: [==========]  101.0% (used 32562 bytes from 32256 bytes)
    Error: The program size (32562 bytes) is greater than maximum allowed (32256 bytes)
    *** [checkprogsize] Explicit exit, status 1
"""
LINKED = """
    Linking .pio/build/d1_mini/firmware.elf
    bin/ld: .pio/build/d1_mini/firmware.elf section `.harness_const' will not fit in region `RAM'
    bin/ld: region `RAM' overflowed by 196984 bytes
    collect2: error: ld returned 1 exit status
    *** [.pio/build/d1_mini/firmware.elf] Error 1
"""
REFUSED = """
    Compiling .pio/build/uno/src/app.c.o
    src/app.c:1:10: fatal error: nothing.h: No such file or directory
    compilation terminated.
    *** [.pio/build/uno/src/app.c.o] Error 1
    ========================== [FAILED] Took 0.99 seconds ==========================
"""
NO_LIBRARY = """
    bin/ld: cannot find -lstdc++: No such file or directory
    collect2: error: ld returned 1 exit status
    *** [.pio/build/d1_mini/firmware.elf] Error 1
"""


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        (
            NO_NETWORK,
            ToolchainError,
            "cannot fetch atmelavr @ ^5.0.0 for uno (HTTPClientError): no answer",
        ),
        (NO_TOOL, ToolchainError, "cannot fetch platformio/tool-avrdude @ ~1.0.0 for uno"),
        (NO_SUCH_PACKAGE, ToolchainError, "cannot fetch platformio/toolchain-nothing"),
        (FULL, ToolchainError, "the disk is full; PlatformIO needs about 180 MB for uno"),
        (NO_BOARD_ID, BoardError, "the board file of uno names: Unknown board ID 'unu'"),
        (NO_FRAMEWORK, BoardError, "This board doesn't support mbed framework"),
        (CHECKED, DoesNotFitError, "The program size (32562 bytes) is greater than maximum allowed (32256 bytes)"),
        (LINKED, DoesNotFitError, "will not fit in region `RAM'"),
        (REFUSED, ToolchainError, "could not build the firmware of uno:\nsrc/app.c:1:10: fatal error: nothing.h"),
        (NO_LIBRARY, ToolchainError, "collect2: error: ld returned 1 exit status"),
    ],
)
def test_a_build_that_failed_is_explained(words: str, kind: type[MidgeError], expected: str) -> None:
    error = _problem(words)
    assert type(error) is kind
    assert expected in error.message
    assert error.hint
    assert "Traceback" not in str(error)


def test_a_firmware_that_is_too_large_names_the_five_largest_symbols() -> None:
    for words in (CHECKED, LINKED):
        lines = _problem(words).message.splitlines()[1:]
        assert [line.split()[0] for line in lines] == ["4,000", "900", "100", "31", "20"]


# avrdude 7.1, by PlatformIO; the line comes with and without the function's name.
ABSENT = """
             Using Port                    : /dev/ttyACM7
    avrdude ser_open() OS error: cannot open port /dev/ttyACM7: No such file or directory
    avrdude main() error: unable to open programmer arduino on port /dev/ttyACM7
    *** [upload] Error 1
"""
CONNECTION_REFUSED = """
    avrdude net_open() OS error: cannot connect: Connection refused
    avrdude main() error: unable to open programmer arduino on port net:127.0.0.1:9
    *** [upload] Error 1
"""
DENIED = """
    avrdude OS error: cannot open port /dev/ttyACM7: Permission denied
    avrdude error: unable to open programmer arduino on port /dev/ttyACM7
"""
BUSY = """
    avrdude OS error: cannot open port /dev/ttyACM7: Device or resource busy
    avrdude error: unable to open programmer arduino on port /dev/ttyACM7
"""
SILENT = """
    avrdude ser_set_dtr_rts() OS error: ioctl("TIOCMGET"): Inappropriate ioctl for device
    avrdude stk500_recv() error: programmer is not responding
    avrdude stk500_getsync() warning: attempt 10 of 10: not in sync: resp=0x00
    avrdude main() error: unable to open programmer arduino on port /dev/ttyACM7
    *** [upload] Error 1
"""
# A byte twice on the line while the flash is read back.
GARBLED = """
    avrdude stk500_paged_load() error: protocol expects sync byte 0x14 but got 0x10
    avrdude stk500_cmd() error: protocol expects OK byte 0x10 but got 0xe9
    avrdude avr_read_mem() error: unable to read byte at address 0x0000
    avrdude do_op() error: unable to read all of flash memory, rc=-2
    *** [upload] Error 1
"""
# pyserial 3.5, below PlatformIO's own reset of a board at 1200 baud.
SERIAL_DENIED = """
    *** [upload] [Errno 13] could not open port /dev/ttyACM7: [Errno 13] Permission denied: '/dev/ttyACM7'
"""
SERIAL_BUSY = """
    *** [upload] [Errno 16] could not open port /dev/ttyACM7: [Errno 16] Device or resource busy: '/dev/ttyACM7'
"""
WINDOWS_BUSY = """
    A fatal error occurred: could not open port 'COM4': PermissionError(13, 'Access is denied.', None, 5)
"""
# esptool 4.5, bossac 1.9, dfu-util 0.11, PlatformIO 6.
ESP_SILENT = """
    Serial port /dev/ttyACM7
    Connecting......................................
    A fatal error occurred: Failed to connect to ESP32: No serial data received.
    *** [upload] Error 2
"""
BOSSAC = """
    No device found on ttyACM7
    *** [upload] Error 1
"""
DFU = """
    No DFU capable USB device available
    *** [upload] Error 74
"""
NO_PORT = """
    Error: Please specify `upload_port` for environment or use global `--upload-port` option.
"""
NOT_BACK = """
    Waiting for the new upload port...
    Error: Couldn't find a board on the selected port. Check that you have the correct port selected.
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (ABSENT, "there is no Arduino Uno at /dev/ttyACM7"),
        (CONNECTION_REFUSED, "there is no Arduino Uno at"),
        (DENIED, "you may not open /dev/ttyACM7"),
        (BUSY, "/dev/ttyACM7 is busy"),
        (SILENT, "there is no Arduino Uno at"),
        (GARBLED, "was not flashed: what it answered came back damaged (avrdude stk500_paged_load() error: protocol"),
        (SERIAL_DENIED, "you may not open"),
        (SERIAL_BUSY, "is busy"),
        (WINDOWS_BUSY, "is busy"),
        (ESP_SILENT, "there is no Arduino Uno at"),
        (BOSSAC, "there is no Arduino Uno at"),
        (DFU, "there is no Arduino Uno at"),
        (NO_PORT, "there is no Arduino Uno at"),
        (NOT_BACK, "there is no Arduino Uno at"),
    ],
)
def test_an_upload_that_failed_is_explained(words: str, expected: str) -> None:
    error = _problem(words, port="/dev/ttyACM7")
    assert type(error) is LinkError
    assert expected in error.message
    assert error.hint


def test_an_uploader_that_says_always_the_same_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = tmp_path / "ttyUSB0"
    words = f"A fatal error occurred: Could not open {port}, the port doesn't exist"
    assert "there is no" in _problem(words, port=str(port)).message
    port.touch()
    assert "is busy" in _problem(words, port=str(port)).message
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "you may not open" in _problem(words, port=str(port)).message


def _problem(words: str, port: str | None = None) -> MidgeError:
    lines = tuple(textwrap.dedent(words).strip().splitlines())
    return problem(Said(lines, load_board("uno"), Path("project"), port), lambda: SYMBOLS)
