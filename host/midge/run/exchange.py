"""One request, one answer: sending, waiting, repeating. What the messages mean is `conversation`'s business.

A real port that has nothing to say makes `read` wait for its timeout; a port whose other end cannot say anything unless
asked again (the emulator's parked core) returns b"" at once, and the request is repeated at once instead of waiting
for the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Protocol, TypeVar

from midge.errors import LinkError
from midge.run.frames import VERSION, Frame, FrameDecoder, MalformedError, encode_frame
from midge.run.protocol import Answer, ErrorCode, Failure, MessageType, Request, parse_answer

_POLL_SECONDS = 0.05
_READ_BYTES = 4096
_HELLO_IS_DUE = 0x10000
_STARTS_OVER = (
    ErrorCode.OUT_OF_ORDER,
    ErrorCode.INPUT_ORDER,
    ErrorCode.INPUT_INCOMPLETE,
    ErrorCode.INPUT_DAMAGED,
    ErrorCode.NO_RESULT,
)

AnswerT = TypeVar("AnswerT", bound=Answer)


class Port(Protocol):
    """What an exchange needs of a port: a part of `serial.Serial`."""

    timeout: float | None

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes, after `timeout` seconds what has come until then."""

    def write(self, data: bytes, /) -> int | None:
        """Send all bytes."""

    def reset_input_buffer(self) -> None:
        """Forget what has come and was not read."""


@dataclass(frozen=True)
class Effort:
    """How hard to try one request. It is repeated after `first` seconds, then after ever longer waits up to `longest`;
    at least `attempts` times and, on a port that waits, for at least `budget` seconds."""

    first: float
    longest: float
    attempts: int
    budget: float = 0.0


class StartOverError(Exception):
    """Device and host disagree about where they are; nothing is lost but time. Never leaves `Conversation`."""


class RefusedError(LinkError):
    """The firmware refused a request for good; `code` is an ErrorCode, or a number that is not known."""

    def __init__(self, message: str, code: int, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Exchange:
    """Asks over an open port, one request at a time, and takes no answer but the one to the last request."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._decoder = FrameDecoder()
        self._sequence = 0
        port.timeout = _POLL_SECONDS
        port.reset_input_buffer()

    @property
    def baudrate(self) -> int | None:
        """Bits a second where the port knows them."""
        rate = getattr(self._port, "baudrate", None)
        return rate if isinstance(rate, int) and rate > 0 else None

    def ask(self, request: Request, expected: type[AnswerT], effort: Effort) -> AnswerT:
        """Send a request, as often as `effort` allows, until its answer comes.

        Raises StartOverError for an error of the device that a new beginning mends, LinkError for everything else.
        """
        self._sequence = (self._sequence + 1) & 0xFFFF
        line = encode_frame(Frame(request.type, self._sequence, request.payload()))
        for seconds in _waits(effort):
            self._write(line)
            frame = self._await_answer(request.type, seconds)
            if frame is not None:
                return _understand(frame, expected)
        raise LinkError(
            f"no answer to {request.type.name} from the board{self.overheard()}", hint=_silence_hint(request.type)
        )

    def overheard(self) -> str:
        """The end of a message: the text that came over the line besides answers, such as a system's last words."""
        text = self._decoder.overheard()
        return f"; it said:\n{text}" if text else ""

    def _await_answer(self, kind: MessageType, seconds: float) -> Frame | None:
        """The answer to the last request; None after so many seconds, or when the port has nothing more to say."""
        deadline = time.monotonic() + seconds
        while True:
            started = time.monotonic()
            data = self._read()
            for frame in self._decoder.feed(data):
                if frame.sequence == self._sequence and frame.type in (kind | MessageType.ANSWER, MessageType.ERROR):
                    return frame  # what may follow it are doubles
            now = time.monotonic()
            if now >= deadline or (not data and _at_once(now - started)):
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


def malformed(what: str) -> LinkError:
    """The error for an answer that is sound on the line and makes no sense."""
    return LinkError(f"the firmware sent what no firmware of midge sends: {what}", hint="build and flash it again")


def _waits(effort: Effort) -> Iterator[float]:
    """Seconds to wait for an answer, attempt by attempt. Attempts that cost no time use up `attempts`, not `budget`."""
    end = time.monotonic() + effort.budget
    quiet = 0
    for attempt in count():
        left = end - time.monotonic()
        if attempt >= effort.attempts and (left <= 0 or quiet >= effort.attempts):
            return
        started = time.monotonic()
        longest = min(effort.longest, max(effort.first, left)) if effort.budget else effort.longest
        yield min(effort.first * 2 ** min(attempt, 16), longest)
        quiet += _at_once(time.monotonic() - started)


def _at_once(seconds: float) -> bool:
    return seconds < _POLL_SECONDS / 2


def _understand(frame: Frame, expected: type[AnswerT]) -> AnswerT:
    if frame.version != VERSION:
        raise LinkError(
            f"the firmware speaks version {frame.version} of the protocol, this midge speaks version {VERSION}",
            hint="build and flash the firmware again with this midge",
        )
    try:
        answer = parse_answer(frame)
    except MalformedError as error:
        raise malformed(str(error)) from error
    if isinstance(answer, Failure):
        raise _refusal(answer)
    if not isinstance(answer, expected):
        raise malformed(f"{type(answer).__name__} where {expected.__name__} is due")
    return answer


def _refusal(failure: Failure) -> Exception:
    known = failure.code in list(ErrorCode)
    what = f"{ErrorCode(failure.code).name if known else f'error {failure.code}'} (detail {failure.detail})"
    if failure.code == ErrorCode.OUT_OF_ORDER and failure.detail == _HELLO_IS_DUE:
        what += ": it has restarted, by a crash, its watchdog or its power"
    if failure.code in _STARTS_OVER:
        return StartOverError(what)
    hint = "build and flash it again with this midge"
    return RefusedError(f"the firmware refused a request: {what}", failure.code, hint=hint)


def _silence_hint(kind: MessageType) -> str:
    if kind is MessageType.HELLO:
        return "see that the firmware is flashed, the port and its speed are right, and nothing else has the port open"
    if kind is MessageType.RUN:
        return "allow the run a longer time, or see whether the firmware has crashed"
    return "check the cable and lower the serial speed"


def _gone(error: OSError) -> LinkError:
    return LinkError(f"the serial port failed: {error}", hint="see that the board is connected and the port is free")
