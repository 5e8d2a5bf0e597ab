"""A board on another machine: an RFC 2217 server whose modem lines do to a board what those of real ones do.

The board is firmware/link as a library (`link_device.Device`); `Kind` says what DTR and RTS mean to it, and what it
says before it listens.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from serial import rfc2217
from serial.serialutil import SerialBase

from link_device import Device


@dataclass(frozen=True)
class Kind:
    """What the modem lines do.

    `reset`: "dtr" (a rising edge resets), "esp" (RTS alone resets, and with DTR set when it is released the boot loader
    runs), "" (nothing). `needs_dtr`: silent while DTR is low. `boot_says`, `boot_seconds`: what comes after a reset,
    and how long it is deaf then.
    """

    reset: str = ""
    needs_dtr: bool = False
    boot_says: bytes = b""
    boot_seconds: float = 0.2


class ModemBoard(SerialBase):  # type: ignore[misc]
    """The port that the server has: a device with modem lines. `resets` counts; `in_boot_loader`: it hears nobody."""

    def __init__(self, device: Device, kind: Kind) -> None:
        super().__init__()
        self.is_open = True
        self.device, self.kind = device, kind
        self.resets, self.in_boot_loader = 0, False
        self.lines: list[tuple[bool, bool]] = []
        self._lines = (False, False)
        self._dtr_state = self._rts_state = False
        self._deaf_until = 0.0
        self._sent = bytearray()

    @property
    def in_waiting(self) -> int:
        self._sent += self.device.take() if self._hears() else b""
        return len(self._sent)

    def read(self, size: int = 1) -> bytes:
        data = bytes(self._sent[:size])
        del self._sent[:size]
        return data

    def write(self, data: bytes) -> int:
        if self._hears():
            self.device.push(data)
        return len(data)

    def reset_input_buffer(self) -> None:
        self._sent.clear()

    def reset_output_buffer(self) -> None:
        """Nothing waits."""

    @property
    def cts(self) -> bool:
        return True

    dsr = cd = cts

    @property
    def ri(self) -> bool:
        return False

    def _hears(self) -> bool:
        dtr_is_enough = self._dtr_state or not self.kind.needs_dtr
        return dtr_is_enough and not self.in_boot_loader and time.monotonic() >= self._deaf_until

    def _reconfigure_port(self) -> None:
        """The speed of a library is what it is."""

    _update_break_state = _reconfigure_port

    def _update_lines(self) -> None:
        before, now = self._lines, (bool(self._dtr_state), bool(self._rts_state))
        if before == now:
            return
        self._lines = now
        self.lines.append(now)
        if self.kind.reset == "dtr" and now[0] and not before[0]:
            self._reset()
        if self.kind.reset == "esp" and before == (False, True):
            self._reset()
            self.in_boot_loader = False
        # A capacitor holds the chip in reset a little longer: who pulls the strap until then gets the boot loader.
        just_reset = time.monotonic() < self._deaf_until
        if self.kind.reset == "esp" and now == (True, False) and just_reset:
            self.in_boot_loader = True

    _update_dtr_state = _update_rts_state = _update_lines

    def _reset(self) -> None:
        self.resets += 1
        self.device.start()
        self._sent += self.kind.boot_says
        self._deaf_until = time.monotonic() + self.kind.boot_seconds


class _Connection:
    def __init__(self, line: socket.socket) -> None:
        self.line = line

    def write(self, data: bytes) -> None:
        self.line.sendall(data)


@contextmanager
def rfc2217_board(board: ModemBoard) -> Iterator[str]:
    """The URL of the server, which serves one connection after the other."""
    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(server, board), daemon=True)
    thread.start()
    try:
        yield f"rfc2217://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()


def _serve(server: socket.socket, board: ModemBoard) -> None:
    with suppress(OSError):
        while True:
            line, _ = server.accept()
            with line, suppress(OSError):
                line.settimeout(0.005)
                manager: Any = rfc2217.PortManager(board, _Connection(line))
                _talk(line, board, manager)
            board.rts = board.dtr = False  # as a system does when the last program closes its port


def _talk(line: socket.socket, board: ModemBoard, manager: Any) -> None:
    while True:
        with suppress(TimeoutError):
            data = line.recv(1024)
            if not data:
                return
            board.write(b"".join(manager.filter(data)))
        if count := board.in_waiting:
            line.sendall(b"".join(manager.escape(board.read(count))))
