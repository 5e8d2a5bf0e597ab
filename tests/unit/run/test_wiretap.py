"""What the monitor hears: every message by name, everything else as it came."""

from __future__ import annotations

import json
import random

import pytest

from link_device import Device, DevicePort, draw_inputs
from midge.run.conversation import Conversation
from midge.run.frames import Frame, encode_frame
from midge.run.wiretap import Heard, Way, Wiretap, as_json, in_words


class TappedPort(DevicePort):
    """A device whose line is listened to in both directions."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self.heard: list[Heard] = []
        self._taps: dict[Way, Wiretap] = {"to": Wiretap("to"), "from": Wiretap("from")}

    def read(self, size: int = 1, /) -> bytes:
        data = super().read(size)
        self.heard += self._taps["from"].feed(data)
        return data

    def write(self, data: bytes, /) -> int:
        self.heard += self._taps["to"].feed(data)
        return super().write(data)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[Heard]:
    """One inference, heard."""
    port = TappedPort(Device(tmp_path_factory.mktemp("device")))
    Conversation(port).infer(draw_inputs(random.Random(1)))
    return port.heard


def test_a_whole_inference_is_told_message_by_message(heard: list[Heard]) -> None:
    names = list(dict.fromkeys(one.name for one in heard))
    assert names == [
        f"{kind}{suffix}"
        for kind in ("HELLO", "SIZES", "INPUT", "RUN", "OUTPUT", "TICKS")
        for suffix in ("", " answer")
    ]
    for ask, answer in zip(heard[::2], heard[1::2], strict=True):
        assert (ask.way, answer.way) == ("to", "from")
        assert ask.sequence == answer.sequence
        assert answer.name == f"{ask.name} answer"
    assert heard[1].fields["model_name"] == "adder"
    assert "< HELLO answer #1: model_hash 01 02" in in_words(heard[1])
    for one in heard:
        assert json.loads(json.dumps(as_json(one)))["name"] == one.name


def test_garbage_is_shown_as_hex_and_text() -> None:
    tap = Wiretap("from")
    assert list(tap.feed(b"ets Jul 29 2019\r\n\xff")) == []
    (noise,) = tap.quiet()
    assert in_words(noise).startswith("< noise, 18 bytes: 65 74 73")
    assert in_words(noise).endswith("ets Jul 29 2019...")
    first, second = tap.feed(b"boot" + encode_frame(Frame(1, 7, b"")))
    assert (first.name, first.fields["bytes"], second.name, second.sequence) == ("noise", b"boot", "HELLO", 7)


def test_a_damaged_frame_is_noise_and_what_no_firmware_sends_is_called_so() -> None:
    tap = Wiretap("from")
    line = bytearray(encode_frame(Frame(0x84, 7, bytes(12))))
    line[3] ^= 1
    assert [one.name for one in tap.feed(bytes(line))] == ["noise"]
    heard = list(tap.feed(b"".join(encode_frame(Frame(kind, 1, b"xyz")) for kind in (0x84, 0x55, 0x04, 0xFF))))
    assert [one.name for one in heard] == [f"type 0x{kind:02x}, malformed" for kind in (0x84, 0x55, 0x04, 0xFF)]
    (error,) = tap.feed(encode_frame(Frame(0xFF, 1, b"\x04\0\0\1\0")))
    assert in_words(error) == "< ERROR #1: code 4, detail 65536, error OUT_OF_ORDER"
    (old,) = tap.feed(encode_frame(Frame(1, 1, b"", version=1)))
    assert in_words(old) == "< type 0x01 #1: version 1, payload "


def test_any_bytes_are_heard_whole() -> None:
    rng = random.Random(5)
    for _ in range(200):
        data = rng.randbytes(rng.randrange(600))
        tap = Wiretap("to")
        heard = [*tap.feed(data), *tap.quiet()]
        assert b"".join(one.fields["bytes"] for one in heard) == data.replace(b"\0", b"")
