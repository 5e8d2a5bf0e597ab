"""A running board's serial line behind a device path or a TCP port, where any serial program finds it.

`pump` carries bytes both ways until it is interrupted. `open_pty` and `open_tcp` make the outer end.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Protocol

from midge.errors import LinkError, SettingsError

_CHUNK = 4096
_BITS_PER_BYTE = 10
# Somebody who reads nothing for so long is not there: the bytes are lost, as on a wire.
_UNREAD_SECONDS = 2.0


class Inner(Protocol):
    """The board's end: a part of `serial.Serial`, as every emulated board has it. One that sends unasked also has a
    `fileno` to wait on."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes."""

    def write(self, data: bytes, /) -> int | None:
        """Send all bytes."""


class Outer(Protocol):
    """Where other programs come in; `name` is what they open."""

    name: str

    def waits_on(self) -> int:
        """The descriptor that becomes readable when there is something to do."""

    def receive(self) -> bytes:
        """What has come in; b"" when that was nothing."""

    def send(self, data: bytes) -> None:
        """Send all bytes; they are lost where nobody takes them."""


def pump(
    inner: Inner,
    outer: Outer | None,
    speed: int = 0,
    *,
    poll_seconds: float = 0.5,
    until: float | None = None,
    idle: Callable[[], None] = lambda: None,
) -> None:
    """Carry bytes between the two ends (without an outer one: from the board to nowhere).

    `speed`: no faster than so many bits a second, 0: at once. `poll_seconds`: how often to look at a board that speaks
    by itself and has nothing to wait on. `until`: the monotonic time to end at, None: never. `idle` is called
    whenever nothing has come.
    Raises DeviceFaultError when the board stops, OSError when its port goes away.
    """
    clock = _Clock(speed)
    watched = _descriptors(inner)
    while until is None or time.monotonic() < until:
        while count := min(inner.in_waiting, _CHUNK):
            data = inner.read(count)
            clock.wait(len(data))
            if outer is not None:
                outer.send(data)
        waits_on = [] if outer is None else [outer.waits_on()]
        readable, _, _ = select.select([*watched, *waits_on], [], [], poll_seconds)
        if not readable:
            idle()
        elif outer is not None and outer.waits_on() in readable and (data := outer.receive()):
            clock.wait(len(data))
            inner.write(data)
        elif set(watched) & set(readable) and not inner.in_waiting:
            inner.read(1)  # something there that is no byte: the board has ended, and says why


def _descriptors(inner: Inner) -> list[int]:
    """What to wait on for a board that runs by itself; one in this process speaks only when spoken to."""
    fileno = getattr(inner, "fileno", None)
    try:
        return [] if fileno is None else [fileno()]
    except OSError:
        return []


class _Clock:
    """Lets bytes pass no faster than a line of that speed does."""

    def __init__(self, speed: int) -> None:
        self._seconds_per_byte = _BITS_PER_BYTE / speed if speed else 0.0
        self._free_at = 0.0

    def wait(self, count: int) -> None:
        """Wait until so many more bytes are through."""
        if self._seconds_per_byte:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + count * self._seconds_per_byte
            time.sleep(self._free_at - now)


@contextmanager
def open_pty() -> Iterator[Outer]:
    """A device path of this computer, such as /dev/pts/5. It stays while programs open and close it.

    Raises SettingsError where the system has no such thing.
    """
    if sys.platform == "win32":
        raise SettingsError("Windows has no device paths of this kind", hint="--tcp 0, and a socket:// port")
    import pty
    import tty

    ours, theirs = pty.openpty()
    try:
        tty.setraw(theirs)  # no echo, no lines: bytes as they are
        os.set_blocking(ours, False)
        # Our own hold on `theirs` keeps the path alive between two programs.
        yield _Pty(ours, os.ttyname(theirs))
    finally:
        os.close(ours)
        os.close(theirs)


class _Pty:
    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor

    def waits_on(self) -> int:
        return self._descriptor

    def receive(self) -> bytes:
        with suppress(BlockingIOError):
            return os.read(self._descriptor, _CHUNK)
        return b""

    def send(self, data: bytes) -> None:
        while data and select.select([], [self._descriptor], [], _UNREAD_SECONDS)[1]:
            with suppress(BlockingIOError):
                data = data[os.write(self._descriptor, data) :]


@contextmanager
def open_tcp(port: int) -> Iterator[Outer]:
    """A TCP port of this computer alone, for one program at a time; 0: one that is free.

    Raises LinkError when the port is taken.
    """
    try:
        server = socket.create_server(("127.0.0.1", port), backlog=1)
    except OSError as error:
        raise LinkError(
            f"TCP port {port} cannot be opened: {error.strerror}", hint="--tcp 0 takes one that is free"
        ) from error
    with server, closing(_Tcp(server)) as outer:
        yield outer


class _Tcp:
    def __init__(self, server: socket.socket) -> None:
        self.name = f"socket://127.0.0.1:{server.getsockname()[1]}"
        self._server = server
        self._client: socket.socket | None = None

    def waits_on(self) -> int:
        return (self._client or self._server).fileno()

    def receive(self) -> bytes:
        if self._client is None:
            self._client, _ = self._server.accept()
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client.settimeout(_UNREAD_SECONDS)
            return b""
        data = b""
        with suppress(OSError):
            data = self._client.recv(_CHUNK)
        if not data:
            self.close()
        return data

    def send(self, data: bytes) -> None:
        if self._client is not None:
            try:
                self._client.sendall(data)
            except OSError:
                self.close()

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None
