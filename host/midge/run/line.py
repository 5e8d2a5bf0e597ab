"""The serial line of a firmware that runs only when somebody waits for it: what comes and goes between two runs."""

from __future__ import annotations

from abc import ABC, abstractmethod


class FirmwareLine(ABC):
    """Both ends of the line: who runs the firmware takes bytes from `_input`, and puts those it sends to `_output`."""

    _input: bytearray
    _output: bytearray

    @abstractmethod
    def _advance(self) -> bool:
        """Run on until the firmware waits for input, or has sent a lot; whether it may send more without any."""

    def write(self, data: bytes) -> None:
        """Put bytes on the line; the firmware sees them as soon as it runs."""
        self._input += data

    def read(self, max_bytes: int) -> bytes:
        """Run until that many bytes have come back or the firmware waits for input; at most `max_bytes` of them."""
        while len(self._output) < max_bytes and self._advance():
            pass
        data = bytes(self._output[:max_bytes])
        del self._output[:max_bytes]
        return data

    def output_waiting(self) -> int:
        """Run until the firmware waits for input (or has sent a lot); how many bytes `read` would give."""
        self._advance()
        return len(self._output)

    def discard_output(self) -> None:
        """Forget what the firmware has sent so far."""
        self._output.clear()
