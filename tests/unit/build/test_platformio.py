"""PlatformIO as a subprocess: what it says in trouble becomes an error of ours. A script speaks in its place."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from midge.boards import load_board
from midge.build import platformio
from midge.build.platformio import build_project, upload_port, upload_project
from midge.errors import BoardError, DoesNotFitError, LinkError, MidgeError, ToolchainError

UNO = load_board("uno")


@pytest.fixture
def pio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What PlatformIO says, as a file; it then fails."""
    words = tmp_path / "words.txt"
    code = f"import sys; print(open({str(words)!r}).read()); sys.exit(1)"
    monkeypatch.setattr(platformio, "find_pio", lambda: (sys.executable, "-c", code))
    return words


def _silent(_: str) -> None:
    pass


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        ("HTTPClientError:", ToolchainError, "cannot fetch what uno needs"),
        ("OSError: [Errno 28] No space left on device", ToolchainError, "disk is full"),
        ("UnknownPackageError: Could not find the package 'x'", ToolchainError, "cannot fetch"),
        ("UnknownBoard: Unknown board ID 'unu'", BoardError, "UnknownBoard"),
        (
            "Error: The program size (40000 bytes) is greater than maximum allowed (32256 bytes)",
            DoesNotFitError,
            "40000",
        ),
        ("ld: region `iram1_0_seg' overflowed by 1234 bytes", DoesNotFitError, "iram1_0_seg"),
        ("src/app.c:3:1: error: unknown type name 'x'", ToolchainError, "unknown type name"),
        ("something went wrong", ToolchainError, "something went wrong"),
    ],
)
def test_what_a_build_says_becomes_an_error(words: str, kind: type[MidgeError], expected: str, pio: Path) -> None:
    pio.write_text(words)
    with pytest.raises(kind, match=expected) as caught:
        build_project(pio.parent, UNO, _silent)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('avrdude: can\'t open device "/dev/ttyACM0": No such file or directory', "no Arduino Uno at /dev/ttyACM0"),
        ("could not open port /dev/ttyACM0: [Errno 13] Permission denied", "may not open"),
        ("could not open port /dev/ttyACM0: [Errno 16] Device or resource busy", "busy"),
        ("avrdude: stk500_recv(): programmer is not responding", "no Arduino Uno"),
        ("A fatal error occurred: Failed to connect to ESP32: No serial data received.", "no Arduino Uno"),
    ],
)
def test_what_an_upload_says_becomes_an_error_of_the_port(words: str, expected: str, pio: Path) -> None:
    pio.write_text(words)
    with pytest.raises(LinkError, match=expected):
        upload_project(pio.parent, UNO, "/dev/ttyACM0", _silent)


def test_a_build_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformio, "find_pio", lambda: (sys.executable, "-c", "import time; time.sleep(60)"))
    started = time.monotonic()
    with pytest.raises(ToolchainError, match="did not end within"):
        build_project(tmp_path, UNO, _silent, seconds=0.5)
    assert time.monotonic() - started < 10


def test_the_first_build_says_what_it_will_fetch(pio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "empty"))
    said: list[str] = []
    pio.write_text("Linking firmware.elf\nnoise")
    with pytest.raises(ToolchainError):
        build_project(tmp_path, UNO, said.append)
    assert said == ["PlatformIO fetches compiler and framework of uno, about 60 MB, once", "Linking firmware.elf"]


def test_uploaders_get_ports_as_they_spell_them() -> None:
    esp = load_board("esp32dev")
    assert upload_port("/dev/ttyACM0", UNO) == "/dev/ttyACM0"
    assert upload_port("socket://127.0.0.1:4000", UNO) == "net:127.0.0.1:4000"
    assert upload_port("rfc2217://bench:4000", esp) == "rfc2217://bench:4000"
    for url, board in (("rfc2217://bench:4000", UNO), ("socket://bench:4000", esp)):
        with pytest.raises(LinkError, match="cannot be flashed over"):
            upload_port(url, board)
