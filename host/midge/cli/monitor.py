"""`midge monitor`: what goes over the line, frame by frame."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import click

from midge.boards import load_board
from midge.cli.options import JSON
from midge.cli.talk import out, talk, until_stopped
from midge.errors import LinkError, SettingsError
from midge.run.bridge import Inner, Outer, open_pty, open_tcp, pump
from midge.run.frames import Frame, encode_frame
from midge.run.protocol import MessageType
from midge.run.serial_port import open_port
from midge.run.wiretap import Heard, Way, Wiretap, as_json, in_words

_POLL_SECONDS = 0.05
_QUIET_SECONDS = 0.3


@click.command()
@click.argument("port")
@click.option("--board", default="cortex-m4f", help="Whose speed and modem lines the port wants.  [default: any]")
@click.option("--hello", is_flag=True, help="Ask the board who it is, first.")
@click.option("--pty", is_flag=True, help="Show both directions: other programs reach the board through a device path.")
@click.option("--tcp", type=click.IntRange(0, 65535), help="The same through a TCP port; 0: a free one.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long.  [default: Ctrl-C]")
@JSON
def command(
    port: str, board: str, hello: bool, pty: bool, tcp: int | None, seconds: float | None, as_json: bool
) -> None:
    """Show what goes over PORT: frames decoded, everything else as hex.

    Alone it shows what the board says. With --pty or --tcp it stands between: start `midge run --port` on the path that
    it prints, and both directions are shown.
    """
    if pty and tcp is not None:
        raise SettingsError("midge monitor opens one port for others", hint="either --pty or --tcp")
    described = load_board(board)
    end = None if seconds is None else time.monotonic() + seconds
    with until_stopped(), open_port(port, described) as opened:
        tapped = _Tapped(opened, as_json)
        if hello:
            tapped.write(encode_frame(Frame(MessageType.HELLO, 0, b"")))
        with _outer(pty, tcp) as outer:
            if outer is not None:
                talk(f"{described.name} at {port} is {outer.name} now; Ctrl-C ends it")
                print(json.dumps({"port": outer.name}) if as_json else outer.name, flush=True)
            _watch(tapped, outer, end)


def _watch(tapped: _Tapped, outer: Outer | None, end: float | None) -> None:
    """Until the time is up. Raises LinkError when the port goes away."""
    try:
        pump(tapped, outer, poll_seconds=_POLL_SECONDS, until=end, idle=tapped.idle)
    except OSError as error:
        raise LinkError(f"the serial port failed: {error}", hint="see that the board is still connected") from error
    finally:
        tapped.idle(at_once=True)


@contextmanager
def _outer(pty: bool, tcp: int | None) -> Iterator[Outer | None]:
    if not pty and tcp is None:
        yield None
        return
    opened: AbstractContextManager[Outer] = open_pty() if tcp is None else open_tcp(tcp)
    with opened as outer:
        yield outer


class _Tapped:
    """The board's port, which shows whatever goes through it."""

    def __init__(self, port: Inner, as_json: bool) -> None:
        self._port = port
        self._json = as_json
        self._taps: dict[Way, Wiretap] = {"to": Wiretap("to"), "from": Wiretap("from")}
        self._started = self._last = time.monotonic()

    def fileno(self) -> int:
        """As the port's. Raises OSError where it has none."""
        fileno = getattr(self._port, "fileno", None)
        if fileno is None:
            raise OSError("nothing to wait on")
        return int(fileno())

    @property
    def in_waiting(self) -> int:
        return self._port.in_waiting

    def read(self, size: int = 1, /) -> bytes:
        data = self._port.read(size)
        self._show(self._taps["from"].feed(data))
        return data

    def write(self, data: bytes, /) -> int | None:
        self._show(self._taps["to"].feed(data))
        return self._port.write(data)

    def idle(self, at_once: bool = False) -> None:
        """Nothing goes on: what has been silent for long enough was no frame under way."""
        if at_once or time.monotonic() - self._last > _QUIET_SECONDS:
            for tap in self._taps.values():
                self._show(tap.quiet())

    def _show(self, heard: Iterable[Heard]) -> None:
        self._last = time.monotonic()
        for one in heard:
            seconds = round(self._last - self._started, 3)
            if self._json:
                print(json.dumps({"seconds": seconds, **as_json(one)}), flush=True)
            else:
                out().print(f"{seconds:9.3f} {in_words(one)}", markup=False, soft_wrap=True)
