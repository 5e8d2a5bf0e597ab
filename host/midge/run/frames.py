"""Frames of the serial line as pure functions: bytes in, frames out; docs/protocol.md describes them.

A frame is `version u8, type u8, sequence u16, payload, CRC-32 u32`, COBS-stuffed between two zero bytes. Numbers are
little endian. The CRC is zlib's, over header and payload. COBS: Cheshire and Baker, "Consistent Overhead Byte
Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999. This layout is the same in all versions of the protocol.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

VERSION = 2

_HEADER = struct.Struct("<BBH")
_CRC = struct.Struct("<I")
_LONGEST_FRAME = 65535
_OVERHEARD_BYTES = 1024
_TEXT = re.compile(rb"[ -~]{12,}")
_LONGEST_STUFFED = _LONGEST_FRAME + _LONGEST_FRAME // 254 + 1


class MalformedError(ValueError):
    """Bytes that are no frame, or an answer whose payload cannot be what its type says."""


@dataclass(frozen=True)
class Frame:
    """One frame of the line, sound by its CRC; nothing is known of its payload yet."""

    type: int
    sequence: int
    payload: bytes
    version: int = VERSION


def cobs_encode(data: bytes) -> bytes:
    """Stuff any bytes into bytes without a zero."""
    stuffed = bytearray()
    runs = data.split(b"\0")
    for number, run in enumerate(runs):
        while len(run) >= 254:
            stuffed += b"\xff" + run[:254]
            run = run[254:]
            if not run and number == len(runs) - 1:
                return bytes(stuffed)
        stuffed += bytes([len(run) + 1]) + run
    return bytes(stuffed)


def cobs_decode(stuffed: bytes) -> bytes:
    """Undo `cobs_encode`. Raises MalformedError for bytes that hold a zero or end within a block."""
    if 0 in stuffed:
        raise MalformedError("a zero byte within a stuffed frame")
    data = bytearray()
    at = 0
    while at < len(stuffed):
        code = stuffed[at]
        block = stuffed[at + 1 : at + code]
        if len(block) != code - 1:
            raise MalformedError("a stuffed frame that ends within a block")
        data += block
        at += code
        if code != 255 and at < len(stuffed):
            data.append(0)
    return bytes(data)


def encode_frame(frame: Frame) -> bytes:
    """The bytes of the line for a frame, both delimiters included."""
    body = _HEADER.pack(frame.version, frame.type, frame.sequence) + frame.payload
    if len(body) + _CRC.size > _LONGEST_FRAME:
        raise MalformedError(f"a payload of {len(frame.payload)} bytes is longer than any frame")
    return b"\0" + cobs_encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode_frame(stuffed: bytes) -> Frame:
    """The frame in the bytes between two delimiters. Raises MalformedError when they are damaged."""
    raw = cobs_decode(stuffed)
    if len(raw) < _HEADER.size + _CRC.size:
        raise MalformedError(f"{len(raw)} bytes are too short for a frame")
    body, crc = raw[: -_CRC.size], raw[-_CRC.size :]
    if _CRC.pack(zlib.crc32(body)) != crc:
        raise MalformedError("the CRC does not match")
    version, kind, sequence = _HEADER.unpack_from(body)
    return Frame(kind, sequence, body[_HEADER.size :], version)


class FrameDecoder:
    """Frames out of a stream that comes in pieces of any size. Whatever is no frame is skipped up to the next zero."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._skipping = False
        self._noise = bytearray()

    def overheard(self) -> str:
        """The text among the last of what was no frame: what a boot loader or a crashing system has to say. Its
        longer stretches of printable characters, each once, a line each; "" where there are none."""
        data = bytes(self._noise + self._pending)[-_OVERHEARD_BYTES:]
        return "\n".join(dict.fromkeys(found.decode().strip() for found in _TEXT.findall(data)))

    def feed(self, data: bytes) -> list[Frame]:
        """Take more bytes of the line; returns the sound frames that they complete."""
        return list(self._frames(data))

    def _frames(self, data: bytes) -> Iterator[Frame]:
        *ended, rest = data.split(b"\0")
        for piece in ended:
            self._keep(piece)
            stuffed, broken = bytes(self._pending), self._skipping
            self._pending.clear()
            self._skipping = False
            if stuffed and not broken:
                try:
                    yield decode_frame(stuffed)
                except MalformedError:
                    self._noise += stuffed
                    del self._noise[:-_OVERHEARD_BYTES]
        self._keep(rest)

    def _keep(self, piece: bytes) -> None:
        if self._skipping or len(self._pending) + len(piece) > _LONGEST_STUFFED:
            self._skipping = True
            self._pending.clear()
        else:
            self._pending += piece
