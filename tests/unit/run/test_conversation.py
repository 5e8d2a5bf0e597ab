"""The host's side of the protocol against the firmware's own link, over good lines and bad ones."""

import random
from collections import deque
from collections.abc import Callable

import pytest

from link_device import (
    HASH,
    INPUT_BYTES,
    LAYER_TICKS,
    LAYERS,
    MAX_PAYLOAD,
    OUTPUT_BYTES,
    REMEMBERING_APP,
    TICKS,
    Device,
    DevicePort,
    FaultyPort,
    draw_inputs,
    expected_outputs,
)
from midge.errors import DataError, LinkError
from midge.run import protocol
from midge.run.conversation import Conversation, Hello, Patience
from midge.run.frames import Frame, FrameDecoder, encode_frame

HASTY = Patience(ready_seconds=0.0, answer_seconds=0.01, run_seconds=0.1)


class ScriptedPort:
    """A port whose other end is a function from a request's frame to the bytes of the answer."""

    def __init__(self, answer: Callable[[Frame], bytes]) -> None:
        self.timeout: float | None = None
        self.answer = answer
        self.requests: list[Frame] = []
        self.received = bytearray()

    @property
    def in_waiting(self) -> int:
        return len(self.received)

    def read(self, size: int = 1, /) -> bytes:
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    def write(self, data: bytes, /) -> int:
        for frame in FrameDecoder().feed(data):
            self.requests.append(frame)
            self.received += self.answer(frame)
        return len(data)

    def reset_input_buffer(self) -> None:
        self.received.clear()


def test_hello_tells_what_the_firmware_was_built_with(device: Device) -> None:
    hello = Conversation(DevicePort(device)).hello()
    assert hello == Hello("adder", HASH, 400, 1000, INPUT_BYTES, OUTPUT_BYTES, LAYERS, MAX_PAYLOAD, False)


def test_the_firmware_names_the_kernels_of_its_layers(device: Device) -> None:
    conversation = Conversation(DevicePort(device), expect_hash=HASH)
    assert conversation.kernels() == tuple(range(1000, 1000 + LAYERS))


def test_a_firmware_from_before_the_question_names_no_kernels(device: Device) -> None:
    class Old(DevicePort):
        def write(self, data: bytes, /) -> int:
            for frame in FrameDecoder().feed(data):
                if frame.type == protocol.MessageType.KERNELS:
                    return super().write(encode_frame(Frame(9, frame.sequence, frame.payload)))
            return super().write(data)

    conversation = Conversation(Old(device), expect_hash=HASH)
    assert conversation.kernels() is None
    inputs = draw_inputs(random.Random(0))
    assert conversation.infer(inputs).outputs == expected_outputs(inputs)


def test_an_inference_gives_outputs_and_ticks(device: Device) -> None:
    conversation = Conversation(DevicePort(device), expect_hash=HASH + bytes(16))
    rng = random.Random(1)
    for _ in range(20):
        inputs = draw_inputs(rng)
        inference = conversation.infer(inputs)
        assert inference.outputs == expected_outputs(inputs)
        assert inference.layer_ticks == [LAYER_TICKS * layer for layer in range(LAYERS)]
        assert inference.total_ticks == TICKS


def test_each_sample_runs_once_on_a_good_line(device: Device) -> None:
    conversation = Conversation(DevicePort(device))
    before = device.runs
    for _ in range(5):
        conversation.infer(draw_inputs(random.Random(2)))
    assert device.runs - before == 5


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(20))
def test_a_faulty_line_gives_the_exact_answer_or_a_link_error(device: Device, seed: int, rate: float) -> None:
    rng = random.Random(f"{seed} {rate}")
    conversation = Conversation(FaultyPort(device, rng, rate), patience=HASTY)
    right = 0
    for _ in range(20):
        inputs = draw_inputs(rng)
        try:
            inference = conversation.infer(inputs)
        except LinkError:
            continue
        assert inference.outputs == expected_outputs(inputs)
        assert inference.layer_ticks == [LAYER_TICKS * layer for layer in range(LAYERS)]
        right += 1
    assert right == 20 or rate == 0.3


def test_a_lost_answer_to_run_does_not_run_twice(device: Device) -> None:
    port = DevicePort(device)
    losing = deque([True, True])
    write = port.write

    def lossy(data: bytes, /) -> int:
        size = write(data)
        (frame,) = FrameDecoder().feed(data)
        if frame.type == protocol.MessageType.RUN and losing:
            losing.popleft()
            port.reset_input_buffer()
        return size

    port.write = lossy  # type: ignore[method-assign]
    before = device.runs
    inputs = draw_inputs(random.Random(3))
    assert Conversation(port).infer(inputs).outputs == expected_outputs(inputs)
    assert not losing
    assert device.runs - before == 1


def test_a_reboot_between_samples_is_survived(device: Device) -> None:
    conversation = Conversation(DevicePort(device))
    for seed in range(3):
        inputs = draw_inputs(random.Random(seed))
        assert conversation.infer(inputs).outputs == expected_outputs(inputs)
        device.start()


def test_a_board_that_crashes_in_each_run_is_an_error_with_its_last_words(device: Device) -> None:
    class Crashing(DevicePort):
        crashed = False

        def write(self, data: bytes, /) -> int:
            (frame,) = FrameDecoder().feed(data)
            self.crashed = frame.type == protocol.MessageType.RUN and not self.crashed
            if self.crashed:
                self.device.start()
                self._received += b"Guru Meditation Error: Core 0 panic'ed (LoadProhibited)\r\nPC: 0x400d1234\r\n\0"
                return len(data)
            return super().write(data)

    with pytest.raises(LinkError, match="it has restarted, by a crash, its watchdog") as caught:
        Conversation(Crashing(device), patience=HASTY).infer(draw_inputs(random.Random(4)))
    assert "it said:\nGuru Meditation Error: Core 0 panic'ed (LoadProhibited)\nPC: 0x400d1234" in str(caught.value)


def test_a_firmware_of_another_model_is_refused(device: Device) -> None:
    with pytest.raises(LinkError, match="firmware built from another model: 'adder'") as caught:
        Conversation(DevicePort(device), expect_hash=b"x" * 32).hello()
    assert "flash" in caught.value.hint


def test_another_version_of_the_protocol_is_refused() -> None:
    def answer(frame: Frame) -> bytes:
        return encode_frame(Frame(protocol.MessageType.ERROR, frame.sequence, b"\x01\x02\0\0\0", version=3))

    with pytest.raises(LinkError, match="version 3 of the protocol, this midge speaks version 2"):
        Conversation(ScriptedPort(answer), patience=HASTY).hello()


def test_a_silent_port_ends_without_waiting_when_it_returns_at_once() -> None:
    port = ScriptedPort(lambda frame: b"")
    with pytest.raises(LinkError, match="no answer to HELLO"):
        Conversation(port, patience=Patience(ready_seconds=1.0)).hello()
    assert len(port.requests) == Patience().attempts


def test_an_error_of_the_device_is_named() -> None:
    def answer(frame: Frame) -> bytes:
        return encode_frame(Frame(protocol.MessageType.ERROR, frame.sequence, b"\x03\x09\0\0\0"))

    with pytest.raises(LinkError, match=r"refused a request: BAD_LENGTH \(detail 9\)"):
        Conversation(ScriptedPort(answer), patience=HASTY).hello()


def test_a_device_that_always_loses_the_thread_is_given_up() -> None:
    def answer(frame: Frame) -> bytes:
        return encode_frame(Frame(protocol.MessageType.ERROR, frame.sequence, b"\x04\0\0\1\0"))

    with pytest.raises(LinkError, match=r"begun 5 times.*OUT_OF_ORDER"):
        Conversation(ScriptedPort(answer), patience=HASTY).hello()


def test_answers_to_older_requests_are_ignored() -> None:
    def answer(frame: Frame) -> bytes:
        stale = Frame(frame.type | 0x80, frame.sequence - 1 & 0xFFFF, bytes(36))
        return encode_frame(stale) * 3

    with pytest.raises(LinkError, match="no answer to HELLO"):
        Conversation(ScriptedPort(answer), patience=HASTY).hello()


def test_an_endless_stream_of_chatter_is_given_up() -> None:
    class Chatter(ScriptedPort):
        def read(self, size: int = 1, /) -> bytes:
            return encode_frame(Frame(0x84, 999, b""))

    with pytest.raises(LinkError, match="no answer"):
        Conversation(Chatter(lambda frame: b""), patience=HASTY).hello()


def test_a_port_that_goes_away_is_a_link_error() -> None:
    def answer(frame: Frame) -> bytes:
        raise OSError("device disconnected")

    with pytest.raises(LinkError, match="serial port failed: device disconnected"):
        Conversation(ScriptedPort(answer), patience=HASTY).hello()


@pytest.mark.parametrize("inputs", [[], [bytes(300)], [bytes(299), bytes(5)], [bytes(300), bytes(5), b"x"]])
def test_inputs_of_another_size_are_a_data_error(device: Device, inputs: list[bytes]) -> None:
    with pytest.raises(DataError, match=r"takes inputs of \[300, 5\] bytes"):
        Conversation(DevicePort(device)).infer(inputs)


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Device:
    return Device(tmp_path_factory.mktemp("remembering"), REMEMBERING_APP)


def test_a_network_remembers_until_it_is_reset(remembering: Device) -> None:
    remembering.start()
    conversation = Conversation(DevicePort(remembering))
    inputs = [bytes(INPUT_BYTES[0]), bytes([1, 2, 3, 4, 5])]
    assert [conversation.infer(inputs).outputs[1][0] for _ in range(3)] == [15, 30, 45]
    conversation.reset()
    assert conversation.infer(inputs).outputs[1][0] == 15


@pytest.mark.parametrize("seed", range(5))
def test_no_line_is_so_bad_that_a_network_forgets(remembering: Device, seed: int) -> None:
    rng = random.Random(seed)
    remembering.start()
    conversation = Conversation(FaultyPort(remembering, rng, 0.05), patience=Patience(attempts=30, restarts=40))
    conversation.reset()
    total = 0
    for step in range(40):
        if step % 15 == 14:
            conversation.reset()
            total = 0
        inputs = draw_inputs(rng)
        total = (total + sum(inputs[1])) % 256
        assert conversation.infer(inputs).outputs[1] == bytes([total]) * OUTPUT_BYTES[1]


def test_a_reset_of_a_network_that_remembers_nothing_is_harmless(device: Device) -> None:
    conversation = Conversation(DevicePort(device))
    conversation.reset()
    inputs = draw_inputs(random.Random(3))
    assert conversation.infer(inputs).outputs == expected_outputs(inputs)
