"""A serial port that counts what is asked through it."""

from __future__ import annotations

from typing import Any

from midge.run.conversation import Conversation


class CountingPort:
    """The port, and how many requests went through it."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.requests = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, data: bytes) -> Any:
        self.requests += 1
        return self._port.write(data)


def requests_repeated(port: Any, samples: int) -> int:
    """How many requests of so many inferences had to be made again. The first inference does not count: an emulator
    gets to know the code in it, which takes it longer than a host waits."""
    line = CountingPort(port)
    conversation = Conversation(line)
    hello = conversation.hello()
    counts = []
    for number in range(samples + 1):
        before = line.requests
        inputs = [bytes((number + i) % 256 for i in range(size)) for size in hello.input_bytes]
        outputs = conversation.infer(inputs).outputs
        assert tuple(map(len, outputs)) == hello.output_bytes
        counts.append(line.requests - before)
    return sum(counts[1:]) - samples * min(counts)
