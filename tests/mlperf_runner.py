"""A small runner for MLPerf Tiny's text protocol, written from its description alone: none of midge's code is in it."""

from __future__ import annotations

import re
import time
from typing import Any

_PIECE_BYTES = 31


class Runner:
    """Drives a device over anything like a serial port: `read(size)`, `write(data)`, `timeout`, `in_waiting`."""

    def __init__(self, port: Any, seconds: float = 20.0) -> None:
        self.port = port
        self.port.timeout = 0.05
        self.seconds = seconds
        self._received = b""

    def lines(self) -> list[str]:
        """The lines up to the next m-ready, without it."""
        found: list[str] = []
        deadline = time.monotonic() + self.seconds
        while True:
            line, ended, rest = self._received.partition(b"\r\n")
            if ended:
                self._received = rest
                if line == b"m-ready":
                    return found
                found.append(line.decode("latin-1"))
                continue
            assert time.monotonic() < deadline, f"no m-ready; so far {found} {self._received!r}"
            self._received += self.port.read(max(1, self.port.in_waiting))

    def ask(self, command: str) -> list[str]:
        """The answer to one command."""
        assert len(command) < 80
        self.port.write(command.encode() + b"%")
        return self.lines()

    def meet(self) -> str:
        """The name of the device, whatever it said before."""
        self.port.write(b"name%")
        while not (said := [line for line in self.lines() if line.startswith("m-name-dut-[")]):
            pass
        return said[0].removeprefix("m-name-dut-[").removesuffix("]")

    def load(self, tensor: bytes) -> None:
        """Fill the device's buffer."""
        assert self.ask(f"db load {len(tensor)}") == [f"m-[Expecting {len(tensor)} bytes]"]
        for at in range(0, len(tensor), _PIECE_BYTES):
            piece = tensor[at : at + _PIECE_BYTES]
            last = at + _PIECE_BYTES >= len(tensor)
            assert self.ask("db " + piece.hex()) == (["m-load-done"] if last else [])

    def infer(self, runs: int, warmup: int) -> tuple[list[float], float]:
        """The results, and microseconds of one inference."""
        said = self.ask(f"infer {runs} {warmup}")
        assert [re.sub(r"-us-\d+$|\[.*\]$", "", line) for line in said] == [
            f"m-warmup-start-{warmup}",
            "m-warmup-done",
            f"m-infer-start-{runs}",
            "m-lap",
            "m-lap",
            "m-infer-done",
            "m-results-",
        ]
        begin, end = (int(line.removeprefix("m-lap-us-")) for line in said[3:5])
        return [float(x) for x in said[6].removeprefix("m-results-[").removesuffix("]").split(",")], (
            end - begin
        ) / runs
