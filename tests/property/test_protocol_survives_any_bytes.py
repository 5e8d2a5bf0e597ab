"""Whatever comes over the line, both ends stay sound and agree on what is a frame."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from link_device import HASH, MAX_PAYLOAD, Device
from midge.run import protocol
from midge.run.frames import Frame, FrameDecoder, MalformedError, cobs_decode, cobs_encode, decode_frame, encode_frame

FRAMES = st.builds(
    Frame,
    type=st.integers(0, 255),
    sequence=st.integers(0, 65535),
    payload=st.one_of(st.binary(max_size=MAX_PAYLOAD + 9), st.lists(st.sampled_from([0, 1, 255])).map(bytes)),
    version=st.integers(0, 255),
)
REQUESTS = st.builds(
    Frame,
    type=st.integers(0, 7),
    sequence=st.integers(0, 3),
    payload=st.lists(st.sampled_from([0, 0, 0, 1, 2, 127, 255]), max_size=40).map(bytes),
)
SOUP = st.lists(st.one_of(st.binary(max_size=40), FRAMES.map(encode_frame), REQUESTS.map(encode_frame)), max_size=12)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    return Device(tmp_path_factory.mktemp("device"))


@given(st.binary(max_size=2000))
def test_stuffing_has_no_zero_and_comes_back(data: bytes) -> None:
    stuffed = cobs_encode(data)
    assert 0 not in stuffed
    assert len(stuffed) <= len(data) + len(data) // 254 + 1
    assert cobs_decode(stuffed) == data


@given(st.lists(FRAMES, max_size=6), st.binary(max_size=50), st.integers(1, 64))
def test_frames_come_back_from_any_pieces_behind_any_garbage(frames: list[Frame], garbage: bytes, step: int) -> None:
    line = garbage + b"".join(map(encode_frame, frames))
    decoder = FrameDecoder()
    found = [frame for at in range(0, len(line), step) for frame in decoder.feed(line[at : at + step])]
    assert found[len(found) - len(frames) :] == frames


@given(SOUP)
def test_any_bytes_are_frames_or_nothing(soup: list[bytes]) -> None:
    for frame in FrameDecoder().feed(b"".join(soup)):
        assert decode_frame(encode_frame(frame)[1:-1]) == frame
        try:
            protocol.parse_answer(frame)
        except MalformedError:
            continue


@given(st.binary(max_size=1500))
def test_c_and_python_compute_the_same_stuffing_and_crc(device: Device, data: bytes) -> None:
    assert device.cobs_encode(data) == cobs_encode(data)
    assert device.crc(data) == zlib.crc32(data)


@given(SOUP, st.integers(0, 300))
def test_c_and_python_find_the_same_frames(device: Device, soup: list[bytes], capacity: int) -> None:
    line = b"".join(soup) + b"\0"
    expected = []
    for piece in line.split(b"\0"):
        try:
            data = cobs_decode(piece)
        except MalformedError:
            continue
        if 0 < len(data) <= capacity:
            expected.append(data)
    assert device.cobs_decode(line, capacity) == expected


@settings(max_examples=300)
@given(SOUP)
def test_the_device_answers_any_bytes_with_sound_answers_and_still_says_hello(
    device: Device, soup: list[bytes]
) -> None:
    device.push(b"".join(soup))
    for answer in FrameDecoder().feed(device.take()):
        protocol.parse_answer(answer)
    device.push(encode_frame(Frame(protocol.MessageType.HELLO, 77, b"")))
    (hello,) = FrameDecoder().feed(device.take())
    greeting = protocol.parse_answer(hello)
    assert isinstance(greeting, protocol.Greeting)
    assert (greeting.model_hash, greeting.runs) == (HASH, device.runs)
