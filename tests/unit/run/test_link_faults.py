"""Every fault of a line, in each direction, at each step of a conversation: once it is mended, for ever it is an error.

No inference ends with another sample's outputs, none runs twice, and none takes longer than its patience.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from link_device import HASH, LAYER_TICKS, LAYERS, Device, DevicePort, draw_inputs, expected_outputs
from midge.errors import LinkError
from midge.run.conversation import Conversation, Patience
from midge.run.frames import FrameDecoder
from midge.run.protocol import MessageType

# One process: what the tests share is made once.
pytestmark = pytest.mark.xdist_group(__name__)

PATIENCE = Patience(ready_seconds=0.2, answer_seconds=0.02, run_seconds=0.3, attempts=5)
# All waits of the patience, each for every restart, and as much again for a busy computer.
LONGEST_SECONDS = 6.0
LATE_SECONDS = 0.05

STEPS = (
    MessageType.HELLO,
    MessageType.SIZES,
    MessageType.INPUT,
    MessageType.RUN,
    MessageType.OUTPUT,
    MessageType.TICKS,
)
# What becomes of a frame: the pieces that arrive in its place.
FAULTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "drop": lambda frame: [],
    "duplicate": lambda frame: [frame, frame],
    "flip": lambda frame: [frame[:5] + bytes([frame[5] ^ 0x10]) + frame[6:]],
    "truncate": lambda frame: [frame[: len(frame) // 2]],
    "delay": lambda frame: [frame],
}


class BrokenPort(DevicePort):
    """A line on which the frames of one step meet one fault in one direction, `times` times."""

    def __init__(self, device: Device, fault: str, way: str, step: MessageType, times: float) -> None:
        super().__init__(device)
        self.fault, self.way, self.step, self.times = fault, way, step, times
        self.met = 0
        self._late: list[tuple[float, str, bytes]] = []

    @property
    def in_waiting(self) -> int:
        self._arrive()
        return super().in_waiting

    def read(self, size: int = 1, /) -> bytes:
        """Waits for its timeout, as a real port does."""
        deadline = time.monotonic() + (self.timeout or 0.0)
        while not self.in_waiting and time.monotonic() < deadline:
            time.sleep(0.002)
        return super().read(size)

    def write(self, data: bytes, /) -> int:
        self._arrive()
        self._pass("to", data)
        return len(data)

    def _pass(self, way: str, data: bytes) -> None:
        for piece in data.split(b"\0"):
            if piece:
                self._pass_frame(way, b"\0" + piece + b"\0")

    def _pass_frame(self, way: str, frame: bytes) -> None:
        (found,) = FrameDecoder().feed(frame)
        pieces = [frame]
        if way == self.way and found.type & 0x7F == self.step and self.met < self.times:
            self.met += 1
            pieces = FAULTS[self.fault](frame)
            if self.fault == "delay":
                self._late.append((time.monotonic() + LATE_SECONDS, way, frame))
                return
        for piece in pieces:
            self._deliver(way, piece)

    def _deliver(self, way: str, data: bytes) -> None:
        if way == "from":
            self._received += data
        else:
            self.device.push(data)
            self._pass("from", self.device.take())

    def _arrive(self) -> None:
        now = time.monotonic()
        due = [entry for entry in self._late if entry[0] <= now]
        self._late = [entry for entry in self._late if entry[0] > now]
        for _, way, frame in due:
            self._deliver(way, frame)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", ["to", "from"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_mended(device: Device, fault: str, way: str, step: MessageType, times: int) -> None:
    rng = random.Random(f"{fault} {way} {step}")
    port = BrokenPort(device, fault, way, step, times)
    conversation, before = Conversation(port, expect_hash=HASH, patience=PATIENCE), device.runs
    for _ in range(3):
        inputs = draw_inputs(rng)
        inference = conversation.infer(inputs)
        assert inference.outputs == expected_outputs(inputs)
        assert inference.layer_ticks == [LAYER_TICKS * layer for layer in range(LAYERS)]
    assert 1 <= port.met <= times
    # A late HELLO makes the device forget what it has computed: then the sample runs anew.
    assert device.runs - before == 3 or fault == "delay"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("way", ["to", "from"])
@pytest.mark.parametrize("fault", ["drop", "flip", "truncate"])
def test_a_lasting_fault_is_an_error_in_time(device: Device, fault: str, way: str, step: MessageType) -> None:
    conversation = Conversation(BrokenPort(device, fault, way, step, float("inf")), patience=PATIENCE)
    started = time.monotonic()
    with pytest.raises(LinkError, match=f"no answer to {step.name}") as caught:
        conversation.infer(draw_inputs(random.Random(1)))
    assert time.monotonic() - started < LONGEST_SECONDS
    assert caught.value.hint


@pytest.mark.parametrize("way", ["to", "from"])
@pytest.mark.parametrize("fault", ["duplicate", "delay"])
@pytest.mark.parametrize("step", STEPS)
def test_a_line_that_always_doubles_or_dawdles_still_gives_what_is_right(
    device: Device, fault: str, way: str, step: MessageType
) -> None:
    conversation = Conversation(BrokenPort(device, fault, way, step, float("inf")), patience=PATIENCE)
    rng, started = random.Random(2), time.monotonic()
    for _ in range(2):
        inputs = draw_inputs(rng)
        try:
            assert conversation.infer(inputs).outputs == expected_outputs(inputs)
        except LinkError as error:
            assert error.hint
            assert fault == "delay"
    assert time.monotonic() - started < 2 * LONGEST_SECONDS
