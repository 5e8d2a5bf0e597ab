"""The messages of the serial protocol as frozen records; docs/protocol.md describes it. Numbers are little endian.

Requests know their payload; `parse_answer` makes a record of an answer's frame and trusts nothing in it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from midge.run.frames import Frame, MalformedError

HASH_BYTES = 16
MIN_PAYLOAD = 100
"""Every firmware takes payloads of this many bytes; its hello tells how many more."""

_GREETING = struct.Struct(f"<{HASH_BYTES}sIIIHHHHB")
_INPUT = struct.Struct("<HI")
_RUN = struct.Struct("<IQ")
_OUTPUT = struct.Struct("<IHI")
_TICKS = struct.Struct("<IH")
_FAILURE = struct.Struct("<BI")


class MessageType(IntEnum):
    """Types of requests. The type of an answer is that of its request plus ANSWER, or ERROR."""

    HELLO = 1
    SIZES = 2
    INPUT = 3
    RUN = 4
    OUTPUT = 5
    TICKS = 6
    RESET = 7
    KERNELS = 8
    ANSWER = 0x80
    ERROR = 0xFF


class ErrorCode(IntEnum):
    """What a firmware refuses, and in the comment what its 32-bit detail says."""

    BAD_VERSION = 1  # the version that the firmware speaks
    BAD_TYPE = 2  # the type that it does not know
    BAD_LENGTH = 3  # the length of the payload, or of what was asked for
    OUT_OF_ORDER = 4  # the sequence number that is due; 0x10000: a hello is
    BAD_RANGE = 5  # the limit that index or offset + length exceeds
    INPUT_ORDER = 6  # the offset that is due in the input under way
    INPUT_INCOMPLETE = 7  # the first input that has bytes missing since the last run
    INPUT_DAMAGED = 8  # the CRC of the inputs that the device holds
    NO_RESULT = 9  # the number of runs since the start of the firmware


@dataclass(frozen=True)
class AskHello:
    """Who are you? Also makes the device forget inputs and results."""

    type: ClassVar[MessageType] = MessageType.HELLO

    def payload(self) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True)
class AskSizes:
    """The bytes of each input, then of each output, from number `first` on."""

    first: int
    type: ClassVar[MessageType] = MessageType.SIZES

    def payload(self) -> bytes:
        """first u16."""
        return struct.pack("<H", self.first)


@dataclass(frozen=True)
class SendInput:
    """A piece of an input. Pieces go in order, from byte 0 of input 0."""

    index: int
    offset: int
    data: bytes
    type: ClassVar[MessageType] = MessageType.INPUT

    def payload(self) -> bytes:
        """index u16, offset u32, bytes."""
        return _INPUT.pack(self.index, self.offset) + self.data


@dataclass(frozen=True)
class AskRun:
    """Run once; `input_crc` is zlib's CRC-32 over all inputs, one behind the other."""

    input_crc: int
    type: ClassVar[MessageType] = MessageType.RUN

    def payload(self) -> bytes:
        """crc u32."""
        return struct.pack("<I", self.input_crc)


@dataclass(frozen=True)
class AskOutput:
    """`length` bytes of an output of run number `run`."""

    run: int
    index: int
    offset: int
    length: int
    type: ClassVar[MessageType] = MessageType.OUTPUT

    def payload(self) -> bytes:
        """run u32, index u16, offset u32, length u16."""
        return _OUTPUT.pack(self.run, self.index, self.offset) + struct.pack("<H", self.length)


@dataclass(frozen=True)
class AskTicks:
    """The ticks of each layer in run number `run`, from layer `first` on."""

    run: int
    first: int
    type: ClassVar[MessageType] = MessageType.TICKS

    def payload(self) -> bytes:
        """run u32, first u16."""
        return _TICKS.pack(self.run, self.first)


@dataclass(frozen=True)
class AskReset:
    """Forget all earlier runs."""

    type: ClassVar[MessageType] = MessageType.RESET

    def payload(self) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True)
class AskKernels:
    """Which kernel each layer runs, from layer `first` on."""

    first: int
    type: ClassVar[MessageType] = MessageType.KERNELS

    def payload(self) -> bytes:
        """first u16."""
        return struct.pack("<H", self.first)


Request = AskHello | AskSizes | SendInput | AskRun | AskOutput | AskTicks | AskReset | AskKernels


@dataclass(frozen=True)
class Greeting:
    """What a firmware says of itself; `runs` counts the inferences since its start."""

    model_hash: bytes
    arena_bytes: int
    tick_hz: int
    runs: int
    max_payload: int
    inputs: int
    outputs: int
    layers: int
    is_emulated: bool
    model_name: str


@dataclass(frozen=True)
class Sizes:
    """Bytes of inputs and outputs from number `first` on, as many as fit the frame."""

    first: int
    bytes: tuple[int, ...]


@dataclass(frozen=True)
class InputTaken:
    """The place of the byte that is due next; index = number of inputs when all are complete."""

    index: int
    offset: int


@dataclass(frozen=True)
class RunDone:
    """The number of the run since the start of the firmware, and its ticks."""

    run: int
    total_ticks: int


@dataclass(frozen=True)
class OutputChunk:
    """Bytes of an output."""

    run: int
    index: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class TicksChunk:
    """Ticks of layers from number `first` on, as many as fit the frame."""

    run: int
    first: int
    ticks: tuple[int, ...]


@dataclass(frozen=True)
class ResetDone:
    """All earlier runs are forgotten."""


@dataclass(frozen=True)
class KernelsChunk:
    """Numbers of the kernels (midge.kernels.variant) of layers from number `first` on, as many as fit the frame."""

    first: int
    kernels: tuple[int, ...]


@dataclass(frozen=True)
class Failure:
    """The device refused; `code` is an ErrorCode, or a number that this version of midge does not know."""

    code: int
    detail: int


Answer = Greeting | Sizes | InputTaken | RunDone | OutputChunk | TicksChunk | ResetDone | KernelsChunk | Failure


def parse_answer(frame: Frame) -> Answer:
    """The message in an answer's frame. Raises MalformedError for a type or payload that no firmware would send."""
    if frame.type == MessageType.ERROR:
        return Failure(*_exactly(_FAILURE, frame))
    if frame.type == MessageType.ANSWER | MessageType.HELLO:
        return _parse_greeting(frame)
    if frame.type == MessageType.ANSWER | MessageType.SIZES:
        (first,), rest = _front(struct.Struct("<H"), frame)
        return Sizes(first, _list("I", rest, frame))
    if frame.type == MessageType.ANSWER | MessageType.INPUT:
        return InputTaken(*_exactly(_INPUT, frame))
    if frame.type == MessageType.ANSWER | MessageType.RUN:
        return RunDone(*_exactly(_RUN, frame))
    if frame.type == MessageType.ANSWER | MessageType.OUTPUT:
        (run, index, offset), rest = _front(_OUTPUT, frame)
        return OutputChunk(run, index, offset, rest)
    if frame.type == MessageType.ANSWER | MessageType.TICKS:
        (run, first), rest = _front(_TICKS, frame)
        return TicksChunk(run, first, _list("Q", rest, frame))
    if frame.type == MessageType.ANSWER | MessageType.RESET:
        _exactly(struct.Struct(""), frame)
        return ResetDone()
    if frame.type == MessageType.ANSWER | MessageType.KERNELS:
        (first,), rest = _front(struct.Struct("<H"), frame)
        return KernelsChunk(first, _list("I", rest, frame))
    raise MalformedError(f"type 0x{frame.type:02x} is no answer")


def _parse_greeting(frame: Frame) -> Greeting:
    if len(frame.payload) < _GREETING.size:
        raise MalformedError(f"a hello of {len(frame.payload)} bytes is too short")
    (model_hash, arena, tick_hz, runs, max_payload, inputs, outputs, layers, emulated) = _GREETING.unpack_from(
        frame.payload
    )
    name = frame.payload[_GREETING.size :].decode("utf-8", errors="replace")
    printable = "".join(c if c.isprintable() else "?" for c in name)
    greeting = Greeting(
        model_hash, arena, tick_hz, runs, max_payload, inputs, outputs, layers, bool(emulated), printable
    )
    if not (greeting.tick_hz and greeting.inputs and greeting.outputs and greeting.max_payload >= MIN_PAYLOAD):
        raise MalformedError(f"a hello that cannot be: {greeting}")
    return greeting


def _front(layout: struct.Struct, frame: Frame) -> tuple[tuple[int, ...], bytes]:
    if len(frame.payload) < layout.size:
        raise MalformedError(f"an answer of type 0x{frame.type:02x} with {len(frame.payload)} bytes is too short")
    return layout.unpack_from(frame.payload), frame.payload[layout.size :]


def _exactly(layout: struct.Struct, frame: Frame) -> tuple[int, ...]:
    fields, rest = _front(layout, frame)
    if rest:
        raise MalformedError(f"an answer of type 0x{frame.type:02x} with {len(rest)} bytes too many")
    return fields


def _list(kind: str, data: bytes, frame: Frame) -> tuple[int, ...]:
    size = struct.calcsize(f"<{kind}")
    if not data or len(data) % size:
        raise MalformedError(f"an answer of type 0x{frame.type:02x} with a list of {len(data)} bytes")
    return struct.unpack(f"<{len(data) // size}{kind}", data)
