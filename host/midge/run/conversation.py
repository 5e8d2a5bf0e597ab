"""The host's side of the serial protocol: one conversation with a board, an emulated board or the host build.

All three are pyserial-like ports, and nothing here can tell which of them it has.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from midge.errors import DataError, LinkError
from midge.run import protocol
from midge.run.exchange import AnswerT, Effort, Exchange, Port, RefusedError, StartOverError, malformed

_INPUT_OVERHEAD = 6
_OUTPUT_OVERHEAD = 10
_BITS_PER_BYTE = 10

_ResultT = TypeVar("_ResultT")


@dataclass(frozen=True)
class Patience:
    """How long and how often a conversation tries. Seconds are of the wall clock, on ports that wait.

    The first hello is repeated for `ready_seconds`, because boards start when their port opens. A request is repeated
    after `answer_seconds` (plus its time on the line), then after longer waits, `attempts` times in all; a run for
    `run_seconds`. `restarts` bounds how often one inference begins anew because the device has lost the thread.
    """

    ready_seconds: float = 5.0
    answer_seconds: float = 0.5
    run_seconds: float = 60.0
    attempts: int = 8
    restarts: int = 4


@dataclass(frozen=True)
class Hello:
    """What a firmware says of itself. `model_hash`: first 16 bytes of the model's SHA-256; sizes in bytes.

    `is_emulated`: its ticks are those of an emulator."""

    model_name: str
    model_hash: bytes
    arena_bytes: int
    tick_hz: int
    input_bytes: tuple[int, ...]
    output_bytes: tuple[int, ...]
    layers: int
    max_payload: int
    is_emulated: bool


@dataclass(frozen=True)
class Inference:
    """One run on the device: raw outputs, and ticks (of `Hello.tick_hz`) per layer and in total."""

    outputs: list[bytes]
    layer_ticks: list[int]
    total_ticks: int


class Conversation:
    """Speaks with the firmware at the other end of an open port, which stays the caller's to close.

    `expect_hash` is the SHA-256 of the model (or its first 16 bytes): any other model's firmware is refused.
    Every method raises LinkError when the line or the firmware fails it, and never returns another sample's result.
    """

    def __init__(self, port: Port, *, expect_hash: bytes | None = None, patience: Patience | None = None) -> None:
        self._exchange = Exchange(port)
        self._patience = patience or Patience()
        self._expect_hash = expect_hash[: protocol.HASH_BYTES] if expect_hash is not None else None
        self._hello: Hello | None = None
        self._runs = 0
        self._run_seconds = 1.0
        # The inputs of every run since the last reset, for a device that loses what it remembers; None before the
        # first.
        self._history: list[tuple[bytes, ...]] | None = None

    def hello(self) -> Hello:
        """Ask the firmware who it is, waiting until it is ready; it forgets inputs and results.

        Raises LinkError for a firmware of another model or of another version of the protocol.
        """
        self._hello = None
        return self._persistently(self._greet)

    @property
    def tick_hz(self) -> int:
        """How often the device's timer advances in a second; 0 before the first hello."""
        return self._hello.tick_hz if self._hello else 0

    def kernels(self) -> tuple[int, ...] | None:
        """The numbers (midge.kernels.variant.kernel_number) of the kernels that the layers run, in order; None from a
        firmware that is too old to say."""
        try:
            return self._persistently(self._kernels)
        except RefusedError as refusal:
            if refusal.code != protocol.ErrorCode.BAD_TYPE:
                raise
            return None

    def infer(self, inputs: Sequence[bytes]) -> Inference:
        """Send one sample (the raw bytes of each input), run it, and fetch outputs and ticks.

        Raises DataError for inputs of another number or size than the model's.
        """
        done = self._persistently(lambda: self._infer_once(inputs))
        if self._history is not None:
            self._history.append(tuple(inputs))
        return done

    def reset(self) -> None:
        """Make the network forget all earlier runs.

        From then on a device that loses the thread is led through all runs since the reset again.
        """
        self._history = []
        self._persistently(self._reset_once)

    def _persistently(self, step: Callable[[], _ResultT]) -> _ResultT:
        """A step, begun again from the hello when the device has lost the thread."""
        why = ""
        for _ in range(self._patience.restarts + 1):
            try:
                return step()
            except StartOverError as reason:
                why = str(reason)
                self._hello = None
            except LinkError:
                self._hello = None
                raise
        raise LinkError(
            f"begun {self._patience.restarts + 1} times, and each time the device lost the thread: {why}"
            + self._exchange.overheard(),
            hint="check cable and power, lower the serial speed, and see that nothing else has the port open",
        )

    def _greet(self) -> Hello:
        wait = self._patience.answer_seconds
        effort = Effort(wait, wait, self._patience.attempts, self._patience.ready_seconds)
        greeting = self._exchange.ask(protocol.AskHello(), protocol.Greeting, effort)
        if self._expect_hash not in (None, greeting.model_hash):
            raise LinkError(
                f"this board runs a firmware built from another model: {greeting.model_name!r}, "
                f"whose hash begins with {greeting.model_hash.hex()}",
                hint="build this model's firmware and flash it again",
            )
        sizes = self._sizes(greeting)
        self._expect_hash = greeting.model_hash
        self._runs = greeting.runs
        self._hello = Hello(
            model_name=greeting.model_name,
            model_hash=greeting.model_hash,
            arena_bytes=greeting.arena_bytes,
            tick_hz=greeting.tick_hz,
            input_bytes=sizes[: greeting.inputs],
            output_bytes=sizes[greeting.inputs :],
            layers=greeting.layers,
            max_payload=greeting.max_payload,
            is_emulated=greeting.is_emulated,
        )
        return self._hello

    def _sizes(self, greeting: protocol.Greeting) -> tuple[int, ...]:
        due = greeting.inputs + greeting.outputs
        sizes: list[int] = []
        while len(sizes) < due:
            answer = self._ask(protocol.AskSizes(len(sizes)), protocol.Sizes)
            if answer.first != len(sizes) or len(sizes) + len(answer.bytes) > due:
                raise malformed("sizes that were not asked for")
            sizes += answer.bytes
        if not all(0 < size <= greeting.arena_bytes for size in sizes):
            raise malformed(f"inputs and outputs of {sizes} bytes in an arena of {greeting.arena_bytes}")
        return tuple(sizes)

    def _infer_once(self, inputs: Sequence[bytes]) -> Inference:
        hello = self._hello or self._resume()
        _check_inputs(inputs, hello)
        self._send_inputs(inputs, hello)
        done = self._run(inputs)
        outputs = [self._output(done.run, index, size, hello) for index, size in enumerate(hello.output_bytes)]
        return Inference(outputs, self._layer_ticks(done.run, hello.layers), done.total_ticks)

    def _reset_once(self) -> None:
        if self._hello is None:
            self._greet()
        self._ask(protocol.AskReset(), protocol.ResetDone)

    def _kernels(self) -> tuple[int, ...]:
        hello = self._hello or self._resume()
        kernels: list[int] = []
        while len(kernels) < hello.layers:
            chunk = self._ask(protocol.AskKernels(len(kernels)), protocol.KernelsChunk)
            if chunk.first != len(kernels) or len(kernels) + len(chunk.kernels) > hello.layers:
                raise malformed("kernels that were not asked for")
            kernels += chunk.kernels
        return tuple(kernels)

    def _resume(self) -> Hello:
        """The hello, and then what the network has to remember."""
        hello = self._greet()
        if self._history is not None:
            self._reset_once()
            for inputs in self._history:
                self._send_inputs(inputs, hello)
                self._run(inputs)
        return hello

    def _send_inputs(self, inputs: Sequence[bytes], hello: Hello) -> None:
        step = hello.max_payload - _INPUT_OVERHEAD
        for index, data in enumerate(inputs):
            for offset in range(0, len(data), step):
                piece = data[offset : offset + step]
                end = offset + len(piece)
                due = (index + 1, 0) if end == len(data) else (index, end)
                taken = self._ask(protocol.SendInput(index, offset, piece), protocol.InputTaken)
                if (taken.index, taken.offset) != due:
                    raise StartOverError(f"the device waits for byte {taken.offset} of input {taken.index}")

    def _run(self, inputs: Sequence[bytes]) -> protocol.RunDone:
        crc = 0
        for data in inputs:
            crc = zlib.crc32(data, crc)
        limit = self._patience.run_seconds
        effort = Effort(min(self._run_seconds, limit), limit, self._patience.attempts, limit)
        started = time.monotonic()
        done = self._exchange.ask(protocol.AskRun(crc), protocol.RunDone, effort)
        # The next run takes about as long; a request repeated meanwhile would only disturb its timing.
        self._run_seconds = max(self._run_seconds, 1.5 * (time.monotonic() - started))
        self._runs = (self._runs + 1) % 2**32
        if done.run != self._runs:
            raise StartOverError(f"run {done.run} was answered where {self._runs} was due")
        return done

    def _output(self, run: int, index: int, size: int, hello: Hello) -> bytes:
        data = bytearray()
        while len(data) < size:
            length = min(size - len(data), hello.max_payload - _OUTPUT_OVERHEAD)
            chunk = self._ask(protocol.AskOutput(run, index, len(data), length), protocol.OutputChunk)
            if (chunk.run, chunk.index, chunk.offset, len(chunk.data)) != (run, index, len(data), length):
                raise malformed("a piece of output that was not asked for")
            data += chunk.data
        return bytes(data)

    def _layer_ticks(self, run: int, layers: int) -> list[int]:
        ticks: list[int] = []
        while len(ticks) < layers:
            chunk = self._ask(protocol.AskTicks(run, len(ticks)), protocol.TicksChunk)
            if (chunk.run, chunk.first) != (run, len(ticks)) or len(ticks) + len(chunk.ticks) > layers:
                raise malformed("ticks that were not asked for")
            ticks += chunk.ticks
        return ticks

    def _ask(self, request: protocol.Request, expected: type[AnswerT]) -> AnswerT:
        """Ask what the device answers at once: it gets its time, and two frames theirs on the line."""
        payload = self._hello.max_payload if self._hello else protocol.MIN_PAYLOAD
        baud = self._exchange.baudrate
        wait = self._patience.answer_seconds + (2 * _BITS_PER_BYTE * payload / baud if baud else 0.0)
        return self._exchange.ask(request, expected, Effort(wait, 4 * wait, self._patience.attempts))


def _check_inputs(inputs: Sequence[bytes], hello: Hello) -> None:
    sizes = tuple(len(data) for data in inputs)
    if sizes != hello.input_bytes:
        raise DataError(
            f"the model {hello.model_name!r} takes inputs of {list(hello.input_bytes)} bytes, got {list(sizes)}",
            hint="give one bytes object for each input, of the size in the hello",
        )
