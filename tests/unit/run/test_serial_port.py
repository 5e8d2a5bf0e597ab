"""Opening the ports of real boards: every way in which it fails, and what each kind of board wants done."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import serial

from midge.boards import Board, load_board
from midge.errors import LinkError
from midge.run import serial_port
from midge.run.serial_port import open_port, resolve_port


@dataclass
class FakePort:
    """A port that remembers what was done to its lines; `missing` openings fail first."""

    failures: list[OSError] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def open(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.events.append("open")

    def close(self) -> None:
        self.events.append("close")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("dtr", "rts"):
            self.events.append(f"{name}={int(value)}")
        super().__setattr__(name, value)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePort:
    """The port that every name leads to."""
    port = FakePort()
    monkeypatch.setattr(serial_port.serial, "serial_for_url", lambda url, do_not_open: port)
    return port


def _quiet(name: str) -> Board:
    board = load_board(name)
    return msgspec.structs.replace(board, serial=msgspec.structs.replace(board.line, quiet_seconds=0.0))


@pytest.mark.parametrize(
    ("board", "events"),
    [
        ("uno", ["open", "close"]),
        ("nano33ble", ["open", "dtr=1", "close"]),
        ("esp32dev", ["open", "rts=0", "dtr=0", "close"]),
    ],
)
def test_modem_lines_are_as_the_board_wants_them(board: str, events: list[str], fake: FakePort) -> None:
    with open_port("/dev/ttyX", _quiet(board)):
        pass
    assert fake.events == events


def test_the_port_is_closed_when_the_conversation_fails(fake: FakePort) -> None:
    with pytest.raises(RuntimeError), open_port("/dev/ttyX", _quiet("uno")):
        raise RuntimeError
    assert fake.events[-1] == "close"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (serial.SerialException(errno.ENOENT, "could not open port"), "there is no port /dev/ttyX"),
        (serial.SerialException(errno.EACCES, "Permission denied"), "may not open"),
        (serial.SerialException(errno.EBUSY, "busy"), "busy"),
        (serial.SerialException("Could not exclusively lock port /dev/ttyX"), "busy"),
        (
            serial.SerialException("Could not configure: (25, 'Inappropriate ioctl for device')"),
            "is no serial port",
        ),
        (OSError(5, "Input/output error"), "cannot be opened"),
    ],
)
def test_a_port_that_cannot_be_opened_says_why(error: OSError, expected: str, fake: FakePort) -> None:
    fake.failures.append(error)
    with pytest.raises(LinkError, match=expected) as caught, open_port("/dev/ttyX", _quiet("uno")):
        pass
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "'' names no port"),
        ("telnet://board:23", "names no port"),
        ("socket://board", "names no port number"),
        ("rfc2217://board:99999", "names no port number"),
        ("emu://nobody", "no emulated board is attached as 'nobody'"),
    ],
)
def test_a_url_that_names_no_port_is_refused_in_words(url: str, expected: str) -> None:
    with pytest.raises(LinkError, match=expected) as caught, open_port(url, _quiet("uno")):
        pass
    assert caught.value.hint


def test_a_port_that_comes_back_after_an_upload_is_waited_for(fake: FakePort) -> None:
    fake.failures += [serial.SerialException(errno.ENOENT, "gone"), serial.SerialException(errno.EACCES, "not yet")]
    with open_port("/dev/ttyX", _quiet("nano33ble"), wait_seconds=5.0):
        assert fake.events == ["open", "dtr=1"]


def test_a_boot_loader_hears_nothing_while_it_listens(fake: FakePort) -> None:
    board = load_board("mega2560")
    started = time.monotonic()
    with open_port("/dev/ttyX", board):
        assert time.monotonic() - started >= board.line.quiet_seconds


def _plug(monkeypatch: pytest.MonkeyPatch, *ids: tuple[str, int, int]) -> None:
    ports = [SimpleNamespace(device=device, vid=vid, pid=pid) for device, vid, pid in ids]
    monkeypatch.setattr(serial_port.list_ports, "comports", lambda: ports)


def test_auto_finds_the_one_board_by_its_usb_id(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug(monkeypatch, ("/dev/ttyUSB0", 0x10C4, 0xEA60), ("/dev/ttyACM0", 0x2341, 0x0043))
    assert resolve_port("auto", load_board("uno")) == "/dev/ttyACM0"
    assert resolve_port("/dev/ttyS0", load_board("uno")) == "/dev/ttyS0"


def test_auto_does_not_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    _plug(monkeypatch, ("/dev/ttyACM0", 0x2341, 0x0043), ("/dev/ttyACM1", 0x2341, 0x0043))
    with pytest.raises(LinkError, match="several ports could be Arduino Uno: /dev/ttyACM0, /dev/ttyACM1"):
        resolve_port("auto", load_board("uno"))
    _plug(monkeypatch, ("/dev/ttyUSB7", 0x1234, 0x5678))
    with pytest.raises(LinkError, match="no port shows a USB id") as caught:
        resolve_port("auto", load_board("uno"))
    assert "/dev/ttyUSB7" in caught.value.hint
