"""A TCP line with one fault in it: between midge (or avrdude) and an emulated board."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_CHUNK = 256


@dataclass(frozen=True)
class Fault:
    """On connection number `connection` (from 0), behind `at` bytes of direction `way` ("to" or "from" the board):
    `kind` is drop (8 bytes), duplicate (8 bytes), flip (a bit), truncate (hang up) or delay (by `seconds`)."""

    kind: str
    way: str
    connection: int
    at: int
    seconds: float = 0.5


class FaultyTcp:
    """The line; `name` is host:port. `met`: the fault has happened. `connections`: how many there were."""

    def __init__(self, board: str, fault: Fault | None) -> None:
        self._board = (board.split(":")[0], int(board.split(":")[1]))
        self.fault = fault
        self.met = False
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._server.getsockname()[1]}"

    def serve(self) -> None:
        """One connection after the other, until the server is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                with client, socket.create_connection(self._board) as board:
                    for line in (client, board):
                        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    number, self.connections = self.connections, self.connections + 1
                    back = threading.Thread(target=self._carry, args=(board, client, "from", number), daemon=True)
                    back.start()
                    self._carry(client, board, "to", number)
                    back.join()

    def close(self) -> None:
        """No more connections."""
        self._server.close()

    def _carry(self, source: socket.socket, target: socket.socket, way: str, number: int) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                fault = self.fault
                here = fault is not None and (fault.way, fault.connection) == (way, number) and not self.met
                if fault is not None and here and passed + len(data) > fault.at:
                    self.met = True
                    data = self._damaged(data, fault, max(0, fault.at - passed))
                    if fault.kind == "truncate":
                        target.sendall(data)
                        break
                passed += len(data)
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _damaged(self, data: bytes, fault: Fault, at: int) -> bytes:
        if fault.kind == "delay":
            time.sleep(fault.seconds)
            return data
        middle = {
            "drop": b"",
            "duplicate": data[at : at + 8] * 2,
            "flip": bytes([data[at] ^ 0x10]) + data[at + 1 : at + 8],
            "truncate": b"",
        }[fault.kind]
        rest = b"" if fault.kind == "truncate" else data[at + 8 :]
        return data[:at] + middle + rest


@contextmanager
def faulty_tcp(board: str, fault: Fault | None) -> Iterator[FaultyTcp]:
    """The line to the board at host:port, in a thread of its own."""
    line = FaultyTcp(board, fault)
    thread = threading.Thread(target=line.serve, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.close()
