"""The host's side of the serial protocol: one conversation with a board, an emulated board or the host build.

All three are pyserial-like ports. A real port that has nothing to say makes `read` wait for its timeout; a port whose
other end cannot say anything unless asked again (the emulator's parked core) returns b"" at once, and the conversation
repeats its request at once instead of waiting for the clock.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol, TypeVar

from midge.errors import DataError, LinkError
from midge.run import protocol
from midge.run.frames import VERSION, Frame, FrameDecoder, MalformedError, encode_frame
from midge.run.protocol import ErrorCode, MessageType

_POLL_SECONDS = 0.05
_READ_BYTES = 4096
_OUTPUT_OVERHEAD = 10
_INPUT_OVERHEAD = 6
_RESTARTING = (
    ErrorCode.OUT_OF_ORDER,
    ErrorCode.INPUT_ORDER,
    ErrorCode.INPUT_INCOMPLETE,
    ErrorCode.INPUT_DAMAGED,
    ErrorCode.NO_RESULT,
)
"""What a device says that has missed, forgotten or doubled something: the inference starts anew, from the hello."""


class Port(Protocol):
    """What a conversation needs of a port: a part of `serial.Serial`."""

    timeout: float | None

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes, after `timeout` seconds what has come until then."""

    def write(self, data: bytes, /) -> int | None:
        """Send all bytes."""


@dataclass(frozen=True)
class Patience:
    """How long and how often a conversation tries. Seconds are of the wall clock, on ports that wait.

    A request is repeated up to `attempts` times, after `answer_seconds` at first and then after ever longer waits; the
    first hello for at least `ready_seconds`, because boards start when their port opens; a run for `run_seconds`.
    `restarts` bounds how often one inference begins anew because the device has lost the thread.
    """

    ready_seconds: float = 5.0
    answer_seconds: float = 0.5
    run_seconds: float = 60.0
    attempts: int = 8
    restarts: int = 4


@dataclass(frozen=True)
class Hello:
    """What a firmware says of itself. `model_hash`: first 16 bytes of the model's SHA-256; sizes in bytes."""

    model_name: str
    model_hash: bytes
    arena_bytes: int
    tick_hz: int
    input_bytes: tuple[int, ...]
    output_bytes: tuple[int, ...]
    layers: int
    max_payload: int


@dataclass(frozen=True)
class Inference:
    """One run on the device: raw outputs, and ticks (of `Hello.tick_hz`) per layer and in total, modulo 2^32."""

    outputs: list[bytes]
    layer_ticks: list[int]
    total_ticks: int


class _StartOver(Exception):
    """The device and the host disagree about where they are; nothing is lost but time."""


_AnswerT = TypeVar("_AnswerT", bound=protocol.Answer)


class Conversation:
    """Speaks with the firmware at the other end of an open port, which stays the caller's to close.

    `expect_hash` is the SHA-256 of the model (or its first 16 bytes): any other model's firmware is refused.
    Every method raises LinkError when the line or the firmware fails it, never returns another sample's result.
    """

    def __init__(self, port: Port, *, expect_hash: bytes | None = None, patience: Patience | None = None) -> None:
        self._port = port
        self._patience = patience or Patience()
        self._expect_hash = expect_hash[: protocol.HASH_BYTES] if expect_hash is not None else None
        self._decoder = FrameDecoder()
        self._arrived: list[Frame] = []
        self._sequence = 0
        self._runs = 0
        self._run_window = 1.0
        self._hello: Hello | None = None
        port.timeout = _POLL_SECONDS

    def hello(self) -> Hello:
        """Ask the firmware who it is, waiting until it is ready; it forgets inputs and results.

        Raises LinkError for a firmware of another model or protocol version.
        """
        self._hello = None
        budget = self._patience.ready_seconds
        greeting = self._ask(protocol.AskHello(), protocol.Greeting, self._patience.answer_seconds, budget)
        self._check_hash(greeting)
        sizes = self._sizes(greeting)
        self._runs = greeting.runs
        self._expect_hash = greeting.model_hash
        self._hello = Hello(
            model_name=greeting.model_name,
            model_hash=greeting.model_hash,
            arena_bytes=greeting.arena_bytes,
            tick_hz=greeting.tick_hz,
            input_bytes=sizes[: greeting.inputs],
            output_bytes=sizes[greeting.inputs :],
            layers=greeting.layers,
            max_payload=greeting.max_payload,
        )
        return self._hello

    def infer(self, inputs: Sequence[bytes]) -> Inference:
        """Send one sample (the raw bytes of each input), run it, and fetch outputs and ticks.

        Raises DataError for inputs of another number or size than the model's.
        """
        for _ in range(self._patience.restarts + 1):
            try:
                hello = self._hello or self.hello()
                _check_inputs(inputs, hello)
                return self._infer_once(inputs, hello)
            except _StartOver as reason:
                self._hello = None
                why = str(reason)
        raise LinkError(
            f"the inference was begun {self._patience.restarts + 1} times and each time the device lost the thread: {why}",
            hint="check cable and ground, lower the serial speed, and see that nothing else has the port open",
        )

    def _infer_once(self, inputs: Sequence[bytes], hello: Hello) -> Inference:
        self._send_inputs(inputs, hello)
        crc = 0
        for data in inputs:
            crc = zlib.crc32(data, crc)
        started = time.monotonic()
        done = self._ask(protocol.AskRun(crc), protocol.RunDone, self._run_window, self._patience.run_seconds)
        # A later run lasts as long as this one, so that long ones are not interrupted by repeated requests.
        self._run_window = max(self._run_window, 1.5 * (time.monotonic() - started))
        if done.run != (self._runs + 1) % 2**32:
            raise _StartOver(f"run {done.run} was answered where {self._runs + 1} was due")
        self._runs = done.run
        outputs = [self._output(done.run, index, size, hello) for index, size in enumerate(hello.output_bytes)]
        return Inference(outputs, self._layer_ticks(done.run, hello.layers), done.total_ticks)

    def _send_inputs(self, inputs: Sequence[bytes], hello: Hello) -> None:
        step = hello.max_payload - _INPUT_OVERHEAD
        for index, data in enumerate(inputs):
            for offset in range(0, len(data), step):
                piece = data[offset : offset + step]
                end = offset + len(piece)
                due = (index + 1, 0) if end == len(data) else (index, end)
                taken = self._ask(protocol.SendInput(index, offset, piece), protocol.InputTaken)
                if (taken.index, taken.offset) != due:
                    raise _StartOver(f"the device waits for byte {taken.offset} of input {taken.index}, not for {due}")

    def _output(self, run: int, index: int, size: int, hello: Hello) -> bytes:
        data = bytearray()
        while len(data) < size:
            length = min(size - len(data), hello.max_payload - _OUTPUT_OVERHEAD)
            chunk = self._ask(protocol.AskOutput(run, index, len(data), length), protocol.OutputChunk)
            if (chunk.run, chunk.index, chunk.offset, len(chunk.data)) != (run, index, len(data), length):
                raise _malformed("a piece of output that was not asked for")
            data += chunk.data
        return bytes(data)

    def _layer_ticks(self, run: int, layers: int) -> list[int]:
        ticks: list[int] = []
        while len(ticks) < layers:
            chunk = self._ask(protocol.AskTicks(run, len(ticks)), protocol.TicksChunk)
            if (chunk.run, chunk.first) != (run, len(ticks)) or len(ticks) + len(chunk.ticks) > layers:
                raise _malformed("ticks that were not asked for")
            ticks += chunk.ticks
        return ticks

    def _sizes(self, greeting: protocol.Greeting) -> tuple[int, ...]:
        due = greeting.inputs + greeting.outputs
        sizes: list[int] = []
        while len(sizes) < due:
            answer = self._ask(protocol.AskSizes(len(sizes)), protocol.Sizes)
            if answer.first != len(sizes) or len(sizes) + len(answer.bytes) > due:
                raise _malformed("sizes that were not asked for")
            sizes += answer.bytes
        if not all(0 < size <= greeting.arena_bytes for size in sizes):
            raise _malformed(f"inputs and outputs of {sizes} bytes in an arena of {greeting.arena_bytes}")
        return tuple(sizes)

    def _check_hash(self, greeting: protocol.Greeting) -> None:
        if self._expect_hash is not None and greeting.model_hash != self._expect_hash:
            raise LinkError(
                f"this board runs a firmware built from another model: {greeting.model_name!r} with hash "
                f"{greeting.model_hash.hex()}, not {self._expect_hash.hex()}",
                hint="build and flash the firmware of this model again",
            )

    def _ask(
        self, request: protocol.Request, expected: type[_AnswerT], window: float | None = None, budget: float = 0.0
    ) -> _AnswerT:
        """Send a request, again and again until its answer comes: `attempts` times, and for `budget` seconds."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        line = encode_frame(Frame(request.type, self._sequence, request.payload()))
        for wait in self._waits(window or self._answer_window(), budget):
            self._write(line)
            frame = self._await_answer(wait)
            if frame is not None:
                return _understand(frame, expected)
        self._hello = None
        raise LinkError(
            f"no answer to {request.type.name} from the board",
            hint="see that the firmware is flashed, that port and speed are right, and that nothing else has the port open"
            if request.type is MessageType.HELLO
            else "check the cable, lower the serial speed, or allow a longer time",
        )

    def _waits(self, first: float, budget: float) -> Iterator[float]:
        """How long to wait for an answer, attempt by attempt; ends after `attempts` when they cost no time."""
        end = time.monotonic() + budget
        quiet = 0
        for attempt in count():
            left = end - time.monotonic()
            if attempt >= self._patience.attempts and (left <= 0 or quiet >= self._patience.attempts):
                return
            longest = max(first, left) if budget else 4 * first
            started = time.monotonic()
            yield min(first * 2 ** min(attempt, 16), longest)
            quiet += time.monotonic() - started < _POLL_SECONDS / 2

    def _answer_window(self) -> float:
        """Seconds for an answer: two frames on the line at its speed, and the device's time."""
        baud = getattr(self._port, "baudrate", None)
        payload = self._hello.max_payload if self._hello else protocol.MIN_PAYLOAD
        on_the_line = 20 * payload / baud if isinstance(baud, int) and baud > 0 else 0.0
        return self._patience.answer_seconds + on_the_line

    def _await_answer(self, seconds: float) -> Frame | None:
        """The answer to the last request; None after so many seconds, or when the port has nothing more to say."""
        deadline = time.monotonic() + seconds
        while True:
            while self._arrived:
                frame = self._arrived.pop(0)
                if frame.sequence == self._sequence and frame.type & MessageType.ANSWER:
                    return frame
            started = time.monotonic()
            data = self._read()
            self._arrived += self._decoder.feed(data)
            now = time.monotonic()
            at_once = not data and now - started < _POLL_SECONDS / 2
            if not self._arrived and (at_once or now >= deadline):
                return None

    def _read(self) -> bytes:
        try:
            return self._port.read(min(max(1, self._port.in_waiting), _READ_BYTES))
        except OSError as error:
            raise _gone(error) from error

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise _gone(error) from error


def _understand(frame: Frame, expected: type[_AnswerT]) -> _AnswerT:
    """The answer that was asked for. Raises _StartOver for an error that a new beginning mends, else LinkError."""
    if frame.version != VERSION:
        raise LinkError(
            f"the firmware speaks version {frame.version} of the protocol, this midge speaks version {VERSION}",
            hint="build and flash the firmware again with this midge",
        )
    try:
        answer = protocol.parse_answer(frame)
    except MalformedError as error:
        raise _malformed(str(error)) from error
    if isinstance(answer, expected):
        return answer
    if not isinstance(answer, protocol.Failure):
        raise _malformed(f"{type(answer).__name__} where {expected.__name__} is due")
    known = answer.code in ErrorCode.__members__.values()
    name = ErrorCode(answer.code).name if known else f"error {answer.code}"
    if answer.code in _RESTARTING:
        raise _StartOver(f"{name} (detail {answer.detail})")
    raise LinkError(
        f"the firmware refused a request: {name} (detail {answer.detail})",
        hint="build and flash the firmware again with this midge",
    )


def _check_inputs(inputs: Sequence[bytes], hello: Hello) -> None:
    sizes = tuple(len(data) for data in inputs)
    if sizes != hello.input_bytes:
        raise DataError(
            f"the model {hello.model_name!r} takes inputs of {list(hello.input_bytes)} bytes, got {list(sizes)}",
            hint="give one bytes object for each input, of the size in the hello",
        )


def _malformed(what: str) -> LinkError:
    return LinkError(f"the firmware sent what no firmware of midge sends: {what}", hint="flash the firmware again")


def _gone(error: OSError) -> LinkError:
    return LinkError(f"the serial port failed: {error}", hint="see that the board is connected and the port is free")
