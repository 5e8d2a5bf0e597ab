"""Serial ports of real boards: found, opened as the board wants it, waited for when they go away, closed cleanly.

A port is named by its path, by a URL of pyserial (`socket://host:port`, `rfc2217://host:port`), by one of midge's own
(`emu:///path/twin.elf?board=BOARD`), or `auto`: the one port that shows a USB id of the board.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports

from midge.boards import Board, SerialLine
from midge.errors import LinkError
from midge.run.serial_handlers import register

AUTO = "auto"
_POLL_SECONDS = 0.1
_WRITE_SECONDS = 30.0
_NETWORK = ("socket://", "rfc2217://")
_KINDS = "a path, socket://HOST:PORT, rfc2217://HOST:PORT, emu:///FILE.elf?board=BOARD or auto"


def resolve_port(name: str, board: Board) -> str:
    """The port that a name stands for; `auto` looks for the board's USB ids.

    Raises:
        LinkError: no port, or more than one, has such an id.
    """
    if name != AUTO:
        return name
    found = sorted(p.device for p in list_ports.comports() if _usb_id(p) in board.line.usb)
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise LinkError(
            f"no port shows a USB id of {board.title} ({', '.join(board.line.usb) or 'none known'})",
            hint=f"plug the board in, or name its port: {_there_are()}",
        )
    raise LinkError(f"several ports could be {board.title}: {', '.join(found)}", hint="name one with --port")


@contextmanager
def open_port(name: str, board: Board, wait_seconds: float = 0.0) -> Iterator[Any]:
    """The open port, as a pyserial object; closed cleanly at the end of the `with` block.

    A port that is not there is waited for up to `wait_seconds`: after an upload some boards take a while to come back.
    Whatever a boot loader would hear is held back for the board's quiet time.

    Raises:
        LinkError: it is not there, busy, or may not be opened.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            port = _open(resolve_port(name, board), board.line)
            break
        except LinkError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
    try:
        time.sleep(board.line.quiet_seconds)
        yield port
    finally:
        _close(port, board.line)


def _open(url: str, line: SerialLine) -> Any:
    register()
    try:
        _check_url(url)
        port = serial.serial_for_url(url, do_not_open=True)
        port.baudrate = line.speed
        if "://" not in url:  # pyserial's network ports know neither
            port.write_timeout = _WRITE_SECONDS
            port.exclusive = True
        port.open()
    except (OSError, ValueError, NotImplementedError) as error:
        raise _refusal(url, error) from error
    if line.modem == "dtr-high":
        # Where there is no such line, there is nobody who waits for it.
        with contextlib.suppress(OSError):
            port.dtr = True
    return port


def _check_url(url: str) -> None:
    """Raises LinkError for what pyserial would refuse in words of its own."""
    kind, found, _ = url.partition("://")
    if not url or (found and kind not in ("emu", "socket", "rfc2217", "spy", "alt", "hwgrep", "loop")):
        raise LinkError(f"{url!r} names no port", hint=_KINDS)
    if url.startswith(_NETWORK):
        try:
            number = urlsplit(url).port
        except ValueError:
            number = None
        if number is None:
            raise LinkError(f"{url} names no port number", hint=f"{kind}://HOST:PORT, a number up to 65535")


def _close(port: Any, line: SerialLine) -> None:
    """RTS falls before DTR: the other way round an ESP32 would stop in its boot loader."""
    with contextlib.suppress(OSError):
        if line.modem == "esp-reset":
            port.rts = False
            port.dtr = False
    with contextlib.suppress(OSError):
        port.close()


def _refusal(url: str, error: Exception) -> LinkError:
    number = getattr(error, "errno", None)
    words = str(error)
    if number == errno.EACCES or "Permission denied" in words or "Access is denied" in words:
        who = _owner_group(url)
        return LinkError(f"you may not open {url}", hint=f"on Linux: sudo usermod -a -G {who} $USER, then log in again")
    if number == errno.EBUSY or "exclusively lock" in words or "busy" in words:
        return LinkError(f"{url} is busy", hint="close what else has it open, such as a serial monitor")
    if number == errno.ENOTTY or "Inappropriate ioctl" in words:
        return LinkError(f"{url} is no serial port", hint=f"name one of the board: {_there_are()}")
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or ("could not open port" in words and "://" not in url):
        return LinkError(f"there is no port {url}", hint=f"plug the board in, or name its port: {_there_are()}")
    return LinkError(f"{url} cannot be opened: {words}", hint="see that the board is connected and the port is right")


def _there_are() -> str:
    ports = sorted(p.device for p in list_ports.comports())
    return "there are " + ", ".join(ports) if ports else "there are none at the moment"


def _owner_group(url: str) -> str:
    try:
        return Path(url).group()
    except (OSError, KeyError, NotImplementedError):
        return "dialout"


def _usb_id(port: Any) -> str:
    return f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else ""
