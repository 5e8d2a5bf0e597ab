"""PlatformIO as a subprocess: what it says in trouble becomes an error of ours. A script speaks in its place."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from midge.boards import load_board
from midge.build import platformio
from midge.build.platformio import build_project, upload_port, upload_project
from midge.errors import LinkError, ToolchainError

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


def test_what_a_build_says_becomes_an_error(pio: Path) -> None:
    pio.write_text("src/app.c:3:1: error: unknown type name 'x'")
    with pytest.raises(ToolchainError, match="unknown type name") as caught:
        build_project(pio.parent, UNO, _silent)
    assert caught.value.hint


def test_what_an_upload_says_becomes_an_error_of_the_port(pio: Path) -> None:
    pio.write_text("avrdude ser_open() OS error: cannot open port /dev/ttyACM0: No such file or directory")
    with pytest.raises(LinkError, match="no Arduino Uno at /dev/ttyACM0"):
        upload_project(pio.parent, UNO, "/dev/ttyACM0", _silent)


def test_a_silence_while_something_is_fetched_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = "import time; print('Tool Manager: Installing platformio/tool-avrdude', flush=True); time.sleep(1); exit(1)"
    monkeypatch.setattr(platformio, "find_pio", lambda: (sys.executable, "-c", code))
    monkeypatch.setattr(platformio, "_SILENCE_SECONDS", 0.1)
    said: list[str] = []
    with pytest.raises(ToolchainError):
        build_project(tmp_path, UNO, said.append)
    assert "without a network PlatformIO gives up after a minute" in said[-1]


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
