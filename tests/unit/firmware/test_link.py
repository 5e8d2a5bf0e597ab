"""The firmware's link, request by request, and whole in the host build under the sanitizers."""

import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from link_device import APP, HASH, MAX_PAYLOAD, TICKS, Device, draw_inputs, expected_outputs, host_compiler
from midge.errors import DeviceFaultError, LinkError, ToolchainError
from midge.run.conversation import Conversation, Patience
from midge.run.frames import Frame, FrameDecoder, encode_frame
from midge.run.native import NativeBoard, start_native
from midge.run.protocol import (
    Answer,
    AskHello,
    AskKernels,
    AskOutput,
    AskRun,
    AskSizes,
    AskTicks,
    ErrorCode,
    Failure,
    InputTaken,
    KernelsChunk,
    OutputChunk,
    Request,
    RunDone,
    SendInput,
    Sizes,
    parse_answer,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Device:
    return Device(tmp_path_factory.mktemp("device"))


class Line:
    """Single requests with sequence numbers of the test's choice."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.sequence = 100

    def send(self, line: bytes) -> list[Frame]:
        self.device.push(line)
        return FrameDecoder().feed(self.device.take())

    def raw(self, kind: int, payload: bytes, sequence: int | None = None) -> Answer:
        self.sequence = self.sequence + 1 if sequence is None else sequence
        (frame,) = self.send(encode_frame(Frame(kind, self.sequence & 0xFFFF, payload)))
        assert frame.sequence == self.sequence & 0xFFFF
        return parse_answer(frame)

    def ask(self, request: Request, sequence: int | None = None) -> Answer:
        return self.raw(request.type, request.payload(), sequence)

    def fill(self, inputs: list[bytes]) -> None:
        for index, data in enumerate(inputs):
            for offset in range(0, len(data), 100):
                self.ask(SendInput(index, offset, data[offset : offset + 100]))


@pytest.fixture
def line(library: Device) -> Line:
    library.start()
    line = Line(library)
    line.ask(AskHello())
    return line


INPUTS = draw_inputs(random.Random(5))
CRC = zlib.crc32(b"".join(INPUTS))


def test_the_longest_hello_fits_the_smallest_payload() -> None:
    assert struct.calcsize("<16sIIIHHHHB") + 63 <= 100


def test_nothing_is_served_before_a_hello(library: Device) -> None:
    library.start()
    assert Line(library).ask(AskSizes(0)) == Failure(ErrorCode.OUT_OF_ORDER, 0x10000)


def test_sizes_are_those_of_inputs_then_outputs(line: Line) -> None:
    assert line.ask(AskSizes(0)) == Sizes(0, (300, 5, 300, 8))
    assert line.ask(AskSizes(3)) == Sizes(3, (8,))
    assert line.ask(AskSizes(4)) == Failure(ErrorCode.BAD_RANGE, 4)


def test_kernels_are_told_from_any_layer_on(line: Line) -> None:
    numbers = tuple(range(1000, 1040))
    assert line.ask(AskKernels(0)) == KernelsChunk(0, numbers[:31])
    assert line.ask(AskKernels(38)) == KernelsChunk(38, numbers[38:])
    assert line.ask(AskKernels(40)) == Failure(ErrorCode.BAD_RANGE, 40)


def test_a_run_gives_the_outputs_once(line: Line) -> None:
    line.fill(INPUTS)
    assert line.ask(AskRun(CRC)) == RunDone(1, TICKS)
    assert line.ask(AskOutput(1, 1, 2, 3)) == OutputChunk(1, 1, 2, expected_outputs(INPUTS)[1][2:5])
    assert line.ask(AskRun(CRC)) == Failure(ErrorCode.INPUT_INCOMPLETE, 0)


def test_a_repeated_run_is_answered_and_not_run_again(line: Line) -> None:
    line.fill(INPUTS)
    before = line.device.runs
    first = line.ask(AskRun(CRC))
    assert [line.ask(AskRun(CRC), line.sequence) for _ in range(3)] == [first] * 3
    assert line.device.runs == before + 1


def test_a_repeated_piece_of_input_is_answered_and_not_stored_again(line: Line) -> None:
    first = line.ask(SendInput(0, 0, INPUTS[0][:100]))
    assert first == InputTaken(0, 100)
    assert line.ask(SendInput(0, 0, INPUTS[0][:100]), line.sequence) == first
    assert line.ask(SendInput(0, 100, INPUTS[0][100:200])) == InputTaken(0, 200)


def test_byte_0_of_input_0_begins_anew(line: Line) -> None:
    line.fill([INPUTS[0][::-1][:200], b""])
    line.fill(INPUTS)
    assert line.ask(AskRun(CRC)) == RunDone(1, TICKS)


def test_a_repeated_failure_fails_again(line: Line) -> None:
    first = line.ask(AskRun(CRC))
    assert first == Failure(ErrorCode.INPUT_INCOMPLETE, 0)
    assert line.ask(AskRun(CRC), line.sequence) == first


@pytest.mark.parametrize("step", [-1, 2, 100, 0x8000, 0xFFFF])
def test_a_request_out_of_order_is_refused_and_changes_nothing(line: Line, step: int) -> None:
    line.fill(INPUTS)
    here = line.sequence
    assert line.ask(SendInput(0, 0, b"x"), here + step) == Failure(ErrorCode.OUT_OF_ORDER, here + 1)
    assert line.ask(AskRun(CRC), here + 1) == RunDone(1, TICKS)


def test_another_request_under_the_same_number_is_refused(line: Line) -> None:
    line.ask(AskSizes(0))
    assert line.ask(AskSizes(1), line.sequence) == Failure(ErrorCode.OUT_OF_ORDER, line.sequence + 1)


def test_sequence_numbers_wrap(line: Line) -> None:
    line.ask(AskHello(), 0xFFFF)
    assert line.ask(AskSizes(3), 0x10000) == Sizes(3, (8,))


def test_a_hello_forgets_inputs_and_results(line: Line) -> None:
    line.fill(INPUTS)
    line.ask(AskHello())
    assert line.ask(AskRun(CRC)) == Failure(ErrorCode.INPUT_INCOMPLETE, 0)
    line.fill(INPUTS)
    line.ask(AskRun(CRC))
    line.ask(AskHello())
    assert line.ask(AskOutput(1, 0, 0, 1)) == Failure(ErrorCode.NO_RESULT, 1)


def test_inputs_of_another_crc_are_not_run(line: Line) -> None:
    line.fill(INPUTS)
    assert line.ask(AskRun(CRC ^ 1)) == Failure(ErrorCode.INPUT_DAMAGED, CRC)


def test_a_new_input_takes_the_result_away(line: Line) -> None:
    line.fill(INPUTS)
    line.ask(AskRun(CRC))
    line.ask(SendInput(0, 0, b"x"))
    assert line.ask(AskOutput(1, 0, 0, 1)) == Failure(ErrorCode.NO_RESULT, 1)
    assert line.ask(AskTicks(1, 0)) == Failure(ErrorCode.NO_RESULT, 1)


def test_the_result_of_another_run_is_not_given(line: Line) -> None:
    line.fill(INPUTS)
    line.ask(AskRun(CRC))
    assert line.ask(AskOutput(2, 0, 0, 1)) == Failure(ErrorCode.NO_RESULT, 1)


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (SendInput(2, 0, b"x"), Failure(ErrorCode.BAD_RANGE, 2)),
        (SendInput(0xFFFF, 0xFFFFFFFF, b"x"), Failure(ErrorCode.BAD_RANGE, 2)),
        (SendInput(0, 1, b"x"), Failure(ErrorCode.INPUT_ORDER, 0)),
        (SendInput(0, 0xFFFFFFFF, b"x"), Failure(ErrorCode.INPUT_ORDER, 0)),
        (SendInput(1, 0, b"x"), Failure(ErrorCode.INPUT_ORDER, 0)),
        (SendInput(0, 0, b""), Failure(ErrorCode.BAD_LENGTH, 6)),
    ],
)
def test_an_input_out_of_bounds_is_refused(line: Line, request_: Request, failure: Failure) -> None:
    assert line.ask(request_) == failure


def test_an_input_that_is_too_long_is_refused(line: Line) -> None:
    for offset in range(0, 300, 100):
        line.ask(SendInput(0, offset, bytes(100)))
    assert line.ask(SendInput(1, 0, bytes(6))) == Failure(ErrorCode.BAD_RANGE, 5)
    assert line.ask(SendInput(1, 0, bytes(5))) == InputTaken(2, 0)


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (AskOutput(1, 2, 0, 1), Failure(ErrorCode.BAD_RANGE, 2)),
        (AskOutput(1, 1, 9, 0), Failure(ErrorCode.BAD_RANGE, 8)),
        (AskOutput(1, 1, 0xFFFFFFFF, 2), Failure(ErrorCode.BAD_RANGE, 8)),
        (AskOutput(1, 1, 1, 8), Failure(ErrorCode.BAD_RANGE, 8)),
        (AskOutput(1, 0, 0, MAX_PAYLOAD - 9), Failure(ErrorCode.BAD_LENGTH, MAX_PAYLOAD - 9)),
        (AskTicks(1, 40), Failure(ErrorCode.BAD_RANGE, 40)),
        (AskTicks(1, 0xFFFF), Failure(ErrorCode.BAD_RANGE, 40)),
    ],
)
def test_a_result_out_of_bounds_is_refused(line: Line, request_: Request, failure: Failure) -> None:
    line.fill(INPUTS)
    line.ask(AskRun(CRC))
    assert line.ask(request_) == failure


@pytest.mark.parametrize("kind", range(1, 7))
def test_a_payload_of_a_wrong_length_is_refused(line: Line, kind: int) -> None:
    length = 1 if kind != 3 else 6
    assert line.raw(kind, bytes(length)) == Failure(ErrorCode.BAD_LENGTH, length)


def test_an_unknown_type_is_refused(line: Line) -> None:
    assert line.raw(0x55, b"") == Failure(ErrorCode.BAD_TYPE, 0x55)


def test_another_version_is_told_ours(line: Line) -> None:
    (frame,) = line.send(encode_frame(Frame(1, 9, b"whatever", version=7)))
    assert (frame.version, parse_answer(frame)) == (2, Failure(ErrorCode.BAD_VERSION, 2))


@pytest.mark.parametrize("frame", [Frame(0x81, 5, b""), Frame(0xFF, 5, b""), Frame(3, 5, bytes(MAX_PAYLOAD + 1))])
def test_echoes_and_frames_that_are_too_long_get_no_answer(line: Line, frame: Frame) -> None:
    assert line.send(encode_frame(frame)) == []


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeBoard]:
    host_compiler()
    with start_native({"app.c": APP}, tmp_path_factory.mktemp("native"), sanitize=True) as board:
        yield board


def test_the_host_build_infers_under_sanitizers(sanitized: NativeBoard) -> None:
    assert "undefined" in sanitized.build.sanitizers
    conversation = Conversation(sanitized.port, expect_hash=HASH)
    rng = random.Random(6)
    for _ in range(20):
        inputs = draw_inputs(rng)
        assert conversation.infer(inputs).outputs == expected_outputs(inputs)


def test_hostile_bytes_break_nothing_under_sanitizers(sanitized: NativeBoard) -> None:
    rng = random.Random(7)
    for _ in range(2000):
        payload = rng.choice([rng.randbytes(rng.randrange(40)), bytes(rng.choice([0, 0, 1, 255]) for _ in range(20))])
        frame = encode_frame(Frame(rng.randrange(9), rng.randrange(4), payload))
        cut = rng.randrange(len(frame)) if rng.random() < 0.2 else 0
        sanitized.port.write(rng.choice([frame[cut:], rng.randbytes(30), b"\xff" * 300]))
    sanitized.port.timeout = 0.2
    while sanitized.port.read(65536):
        pass
    inputs = draw_inputs(rng)
    assert Conversation(sanitized.port).infer(inputs).outputs == expected_outputs(inputs)


@pytest.mark.parametrize(
    ("broken", "report"),
    [
        ("    volatile int at = 400; arena[at] = 1;\n", "index 400 out of bounds|global-buffer-overflow"),
        ("    volatile int much = 40; arena[0] = 1u << much;\n", "shift exponent 40"),
        ("    __builtin_abort();\n", "signal 6|code"),
    ],
)
def test_a_crash_is_a_device_fault_with_the_sanitizers_words(tmp_path: Path, broken: str, report: str) -> None:
    host_compiler()
    app = APP.replace("    device_runs++;\n", broken)
    with (
        start_native({"app.c": app}, tmp_path, sanitize=True) as board,
        pytest.raises(DeviceFaultError, match=report),
    ):
        Conversation(board.port).infer(INPUTS)


def test_an_endless_loop_is_given_up(tmp_path: Path) -> None:
    host_compiler()
    app = APP.replace("    device_runs++;\n", "    volatile int more = 1;\n    while (more) {}\n")
    patience = Patience(answer_seconds=0.05, run_seconds=0.4, attempts=2)
    with (
        start_native({"app.c": app}, tmp_path) as board,
        pytest.raises(LinkError, match="no answer to RUN"),
    ):
        Conversation(board.port, patience=patience).infer(INPUTS)


def test_sources_that_do_not_compile_are_a_toolchain_error(tmp_path: Path) -> None:
    host_compiler()
    with pytest.raises(ToolchainError, match="nonsense"):
        start_native({"app.c": "nonsense;\n"}, tmp_path)
