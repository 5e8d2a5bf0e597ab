"""What goes over a line, in words: frames taken apart, and everything that is no frame kept as it came."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from midge.run import protocol
from midge.run.frames import VERSION, Frame, MalformedError, decode_frame

Way = Literal["to", "from"]
"""To the board, or from it."""

_LONGEST_NOISE = 256
_REQUESTS = {
    protocol.MessageType.SIZES: ("<H", ("first",)),
    protocol.MessageType.INPUT: ("<HI", ("index", "offset")),
    protocol.MessageType.RUN: ("<I", ("input_crc",)),
    protocol.MessageType.OUTPUT: ("<IHIH", ("run", "index", "offset", "length")),
    protocol.MessageType.TICKS: ("<IH", ("run", "first")),
}


@dataclass(frozen=True)
class Heard:
    """One thing on the line: a message by its `name` with its fields, or noise, whose only field is `bytes`.

    `sequence` is None for noise.
    """

    way: Way
    name: str
    sequence: int | None
    fields: dict[str, Any]


class Wiretap:
    """Takes one direction of a line as it comes, in pieces of any size."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Heard]:
        """What the bytes complete: messages, and noise that a delimiter or its length has ended."""
        for byte in data:
            if byte:
                self._pending.append(byte)
            if (not byte and self._pending) or len(self._pending) >= 2**16:
                yield from self._end()

    def quiet(self) -> Iterator[Heard]:
        """The line has been silent for a while: what is pending is no frame under way."""
        if self._pending:
            yield from self._noise(bytes(self._pending))
            self._pending.clear()

    def _end(self) -> Iterator[Heard]:
        stuffed = bytes(self._pending)
        self._pending.clear()
        try:
            frame = decode_frame(stuffed)
        except MalformedError:
            yield from self._noise(stuffed)
        else:
            yield _heard(self._way, frame)

    def _noise(self, data: bytes) -> Iterator[Heard]:
        for at in range(0, len(data), _LONGEST_NOISE):
            yield Heard(self._way, "noise", None, {"bytes": data[at : at + _LONGEST_NOISE]})


def in_words(heard: Heard) -> str:
    """One line for a person; noise as hex and as what of it is text."""
    arrow = ">" if heard.way == "to" else "<"
    if heard.sequence is None:
        data = heard.fields["bytes"]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
        return f"{arrow} noise, {len(data)} bytes: {data.hex(' ')}  {text}"
    fields = ", ".join(f"{name} {_short(value)}" for name, value in heard.fields.items())
    return f"{arrow} {heard.name} #{heard.sequence}{': ' + fields if fields else ''}"


def as_json(heard: Heard) -> dict[str, Any]:
    """The same for a program: bytes as hex."""
    fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in heard.fields.items()}
    return {"way": heard.way, "name": heard.name, "sequence": heard.sequence, **fields}


def _short(value: object) -> str:
    if isinstance(value, bytes):
        shown = value[:16].hex(" ")
        return f"{shown} ... ({len(value)} bytes)" if len(value) > 16 else shown
    return f"{value}"


def _heard(way: Way, frame: Frame) -> Heard:
    if frame.version != VERSION:
        fields = {"version": frame.version, "payload": frame.payload}
        return Heard(way, f"type 0x{frame.type:02x}", frame.sequence, fields)
    try:
        name, fields = _answer(frame) if frame.type & protocol.MessageType.ANSWER else _request(frame)
    except (MalformedError, struct.error, ValueError):
        name, fields = f"type 0x{frame.type:02x}, malformed", {"payload": frame.payload}
    return Heard(way, name, frame.sequence, fields)


def _request(frame: Frame) -> tuple[str, dict[str, Any]]:
    kind = protocol.MessageType(frame.type)
    layout, names = _REQUESTS.get(kind, ("<", ()))
    size = struct.calcsize(layout)
    fields: dict[str, Any] = dict(zip(names, struct.unpack(layout, frame.payload[:size]), strict=True))
    if kind is protocol.MessageType.INPUT:
        fields["data"] = frame.payload[size:]
    return kind.name, fields


def _answer(frame: Frame) -> tuple[str, dict[str, Any]]:
    answer = protocol.parse_answer(frame)
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(answer).items()}
    if isinstance(answer, protocol.Failure):
        known = answer.code in list(protocol.ErrorCode)
        return "ERROR", {**fields, "error": protocol.ErrorCode(answer.code).name if known else "unknown"}
    return f"{protocol.MessageType(frame.type & ~protocol.MessageType.ANSWER).name} answer", fields
