"""Frames and messages, against bytes written out by hand."""

import struct
import zlib

import pytest

from midge.run import protocol
from midge.run.frames import Frame, FrameDecoder, MalformedError, cobs_decode, cobs_encode, decode_frame, encode_frame

COBS = [
    (b"", b"\x01"),
    (b"\0", b"\x01\x01"),
    (b"\0\0", b"\x01\x01\x01"),
    (b"\x11\x22\0\x33", b"\x03\x11\x22\x02\x33"),
    (b"\x11\0\0\0", b"\x02\x11\x01\x01\x01"),
    (bytes(range(1, 255)), b"\xff" + bytes(range(1, 255))),
    (b"\0" + bytes(range(1, 255)), b"\x01\xff" + bytes(range(1, 255))),
    (bytes(range(1, 256)), b"\xff" + bytes(range(1, 255)) + b"\x02\xff"),
    (bytes(range(1, 255)) + b"\0", b"\xff" + bytes(range(1, 255)) + b"\x01\x01"),
]
GREETING = struct.pack("<16sIIIHHHHB", b"h" * 16, 4096, 1000, 3, 240, 1, 2, 7, 1)


@pytest.mark.parametrize(("data", "stuffed"), COBS)
def test_cobs_gives_the_bytes_of_the_paper(data: bytes, stuffed: bytes) -> None:
    assert cobs_encode(data) == stuffed
    assert cobs_decode(stuffed) == data


@pytest.mark.parametrize("stuffed", [b"\x05\x01", b"\x02\0", b"\x01\x03\x01"])
def test_bytes_that_are_not_stuffed_are_refused(stuffed: bytes) -> None:
    with pytest.raises(MalformedError):
        cobs_decode(stuffed)


def test_a_frame_is_header_payload_and_crc_between_zeros() -> None:
    body = b"\x02\x03\x34\x12" + b"abc"
    line = encode_frame(Frame(type=3, sequence=0x1234, payload=b"abc"))
    assert line == b"\0" + cobs_encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"
    assert decode_frame(line[1:-1]) == Frame(3, 0x1234, b"abc")


def test_a_payload_longer_than_any_frame_is_refused() -> None:
    with pytest.raises(MalformedError, match="longer"):
        encode_frame(Frame(3, 0, bytes(65536)))


def test_every_flipped_bit_is_detected() -> None:
    line = encode_frame(Frame(5, 7, b"\0payload\0"))
    for bit in range(8 * len(line)):
        damaged = bytearray(line)
        damaged[bit // 8] ^= 1 << bit % 8
        assert FrameDecoder().feed(bytes(damaged)) == []


def test_a_frame_after_garbage_without_delimiters_is_found() -> None:
    frame = Frame(1, 1, b"")
    assert FrameDecoder().feed(b"boot: ready\r\n" + encode_frame(frame)) == [frame]


def test_frames_come_whole_from_single_bytes() -> None:
    frames = [Frame(1, 1, b""), Frame(2, 2, bytes(300)), Frame(0xFF, 65535, b"x", version=9)]
    decoder = FrameDecoder()
    line = b"".join(map(encode_frame, frames))
    assert [frame for byte in line for frame in decoder.feed(bytes([byte]))] == frames


def test_an_endless_frame_is_dropped_and_the_next_one_found() -> None:
    decoder = FrameDecoder()
    for _ in range(100):
        assert decoder.feed(b"\x01" * 10_000) == []
    assert len(decoder._pending) < 70_000
    assert decoder.feed(encode_frame(Frame(1, 1, b""))) == [Frame(1, 1, b"")]


@pytest.mark.parametrize(
    ("request_", "kind", "payload"),
    [
        (protocol.AskHello(), 1, ""),
        (protocol.AskSizes(258), 2, "0201"),
        (protocol.SendInput(1, 2, b"\xaa\xbb"), 3, "010002000000aabb"),
        (protocol.AskRun(0x01020304), 4, "04030201"),
        (protocol.AskOutput(1, 2, 3, 4), 5, "0100000002000300000004 00"),
        (protocol.AskTicks(5, 6), 6, "050000000600"),
        (protocol.AskKernels(258), 8, "0201"),
    ],
)
def test_requests_are_laid_out_as_documented(request_: protocol.Request, kind: int, payload: str) -> None:
    assert (request_.type, request_.payload()) == (kind, bytes.fromhex(payload))


@pytest.mark.parametrize(
    ("kind", "payload", "answer"),
    [
        (0x81, GREETING + "naïve".encode(), protocol.Greeting(b"h" * 16, 4096, 1000, 3, 240, 1, 2, 7, True, "naïve")),
        (0x81, GREETING + b"a\x1b[2J\xff", protocol.Greeting(b"h" * 16, 4096, 1000, 3, 240, 1, 2, 7, True, "a?[2J�")),
        (0x82, struct.pack("<HII", 1, 10, 20), protocol.Sizes(1, (10, 20))),
        (0x83, struct.pack("<HI", 1, 10), protocol.InputTaken(1, 10)),
        (0x84, struct.pack("<IQ", 1, 1 << 40), protocol.RunDone(1, 1 << 40)),
        (0x85, struct.pack("<IHI", 1, 2, 3) + b"xy", protocol.OutputChunk(1, 2, 3, b"xy")),
        (0x86, struct.pack("<IHQ", 1, 2, 1 << 40), protocol.TicksChunk(1, 2, (1 << 40,))),
        (0x87, b"", protocol.ResetDone()),
        (0x88, struct.pack("<HII", 1, 65535, 7), protocol.KernelsChunk(1, (65535, 7))),
        (0xFF, b"\x07\x01\0\0\0", protocol.Failure(7, 1)),
    ],
)
def test_answers_are_read_as_documented(kind: int, payload: bytes, answer: protocol.Answer) -> None:
    assert protocol.parse_answer(Frame(kind, 0, payload)) == answer


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (0x81, GREETING[:-1]),
        (0x81, struct.pack("<16sIIIHHHHB", b"h" * 16, 4096, 0, 3, 240, 1, 2, 7, 0)),
        (0x81, struct.pack("<16sIIIHHHHB", b"h" * 16, 4096, 1000, 3, 10, 1, 2, 7, 0)),
        (0x81, struct.pack("<16sIIIHHHHB", b"h" * 16, 4096, 1000, 3, 240, 0, 2, 7, 0)),
        (0x82, b"\0\0"),
        (0x82, b"\0\0\1\2\3"),
        (0x83, b"\0"),
        (0x84, bytes(9)),
        (0x85, bytes(9)),
        (0x86, bytes(6)),
        (0xFF, b""),
        (0x87, b"\0"),
        (0x88, b""),
        (0x88, b"\0\0"),
        (0x88, b"\0\0\1"),
        (0x89, b""),
        (0x01, b""),
    ],
)
def test_answers_that_no_firmware_sends_are_refused(kind: int, payload: bytes) -> None:
    with pytest.raises(MalformedError):
        protocol.parse_answer(Frame(kind, 0, payload))
