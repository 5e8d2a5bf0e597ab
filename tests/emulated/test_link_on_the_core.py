"""The firmware's link on an emulated core, through the serial port that every board has."""

import random
from collections.abc import Iterator

import pytest
import serial

from compilers import needed_toolchain
from link_device import APP, HASH, draw_inputs, expected_outputs
from midge.boards import load_board
from midge.build.toolchain import compile_firmware
from midge.errors import MissingExtraError
from midge.run.conversation import Conversation
from midge.run.emulator import EmulatedBoard
from midge.run.serial_handlers import attach


class FlippingSerial:
    """A serial port behind a line that flips a bit in one of eight transfers, in both directions."""

    def __init__(self, port: serial.SerialBase, rng: random.Random) -> None:
        self.timeout: float | None = None
        self.port = port
        self.rng = rng

    @property
    def in_waiting(self) -> int:
        return int(self.port.in_waiting)

    def read(self, size: int = 1, /) -> bytes:
        return self.flipped(self.port.read(size))

    def write(self, data: bytes, /) -> int:
        return int(self.port.write(self.flipped(data)))

    def reset_input_buffer(self) -> None:
        self.port.reset_input_buffer()

    def flipped(self, data: bytes) -> bytes:
        out = bytearray(data)
        if out and self.rng.random() < 1 / 8:
            out[self.rng.randrange(len(out))] ^= 1 << self.rng.randrange(8)
        return bytes(out)


@pytest.fixture(scope="module", params=["gcc", "zig"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    board = load_board("nucleo_l4r5zi")
    toolchain = needed_toolchain(board.core, request.param)
    try:
        image = compile_firmware({"app.c": APP}, board, toolchain, tmp_path_factory.mktemp("emulated"))
        emulated = EmulatedBoard(image, board)
    except MissingExtraError as error:
        pytest.skip(str(error))
    with attach(emulated) as name:
        yield name
    emulated.close()


def test_the_emulated_core_infers_over_serial(url: str) -> None:
    with serial.serial_for_url(url) as port:
        conversation = Conversation(port, expect_hash=HASH)
        rng = random.Random(1)
        for _ in range(10):
            inputs = draw_inputs(rng)
            assert conversation.infer(inputs).outputs == expected_outputs(inputs)


def test_flipped_bits_on_the_line_change_no_answer(url: str) -> None:
    rng = random.Random(2)
    with serial.serial_for_url(url) as port:
        conversation = Conversation(FlippingSerial(port, rng), expect_hash=HASH)
        for _ in range(20):
            inputs = draw_inputs(rng)
            assert conversation.infer(inputs).outputs == expected_outputs(inputs)
