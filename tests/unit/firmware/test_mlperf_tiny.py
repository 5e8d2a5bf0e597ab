"""The benchmark's text protocol in the host build, under the sanitizers: each command, and whatever else comes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from link_device import host_compiler
from midge.run.native import NativeBoard, start_native
from mlperf_runner import Runner

# Adds up two inputs, three bytes in all, and clobbers them.
_APP = """
#include "link/mlperf_tiny.h"
static uint8_t arena[4], buffer[3];
static float results[5];
static const midge_buffer inputs[2] = {{arena, 2}, {arena + 2, 1}};
static float result(uint32_t index) { return results[index]; }
static void run(void) {
    float sum = (float)(arena[0] + arena[1] + arena[2]) / 1000.0f;
    results[0] = sum;
    results[1] = -sum;
    results[2] = 0.0f / (sum - sum);
    results[3] = 1e30f;
    results[4] = 0.9996f;
    __builtin_memset(arena, 0xEE, sizeof arena);
}
const midge_mlperf_model midge_mlperf_app = {.id = "kws01", .buffer = buffer, .buffer_bytes = 3, .input = inputs,
    .inputs = 2, .results = 5, .result = result, .run = run};
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeBoard]:
    """The program of the host build."""
    host_compiler()
    macro = {"MIDGE_PROTOCOL_MLPERF_TINY": "1"}
    folder = tmp_path_factory.mktemp("mlperf")
    app = _APP.replace("0.0f / (sum - sum)", '__builtin_nanf("")')
    with start_native({"app.c": app}, folder, sanitize=True, defines=macro) as started:
        runner = Runner(started.port)
        begin = runner.lines()
        assert begin[0] == "m-timestamp-mode-performance"
        assert re.fullmatch(r"m-lap-us-\d+", begin[1])
        assert begin[2:] == ["m-init-done"]
        yield started


@pytest.fixture
def runner(board: NativeBoard) -> Runner:
    """What drives it."""
    return Runner(board.port)


def test_it_says_who_it_is(runner: Runner) -> None:
    assert runner.ask("name") == ["m-name-dut-[midge]"]
    assert runner.ask("profile") == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]
    assert runner.ask("help")
    (first,), (second,) = runner.ask("timestamp"), runner.ask("timestamp")
    assert int(first.removeprefix("m-lap-us-")) <= int(second.removeprefix("m-lap-us-"))


def test_what_was_loaded_is_run_each_time_anew(runner: Runner) -> None:
    runner.load(bytes([1, 2, 120]))
    for runs, warmup in ((1, 0), (3, 2)):
        results, _ = runner.infer(runs, warmup)
        assert results[:2] == [0.123, -0.123], "a run clobbers its input, so each begins with a fresh one"
    assert runner.ask("results") == ["m-results-[0.123,-0.123,0.000,4000000.000,1.000]"]
    assert runner.ask("infer 1")[0] == "m-warmup-start-10"


def test_the_buffer_is_shown(runner: Runner) -> None:
    runner.load(bytes([0x0A, 0xFF, 0x00]))
    assert runner.ask("db print") == ["m-buffer-0a-ff-00"]
    assert runner.ask("db print 2") == ["m-buffer-0a-ff"]
    assert runner.ask("db print 1 1") == ["m-buffer-ff"]
    assert runner.ask("db print 0 3") == ["m-buffer-"]
    assert runner.ask("db load 1") == ["m-[Expecting 1 bytes]"]
    assert runner.ask("db aB") == ["m-load-done"]
    assert runner.ask("db print") == ["m-buffer-ab-ff-00"]


@pytest.mark.parametrize(
    "command",
    [
        *(
            "nonsense",
            "",
            "inferx 1",
            "infer",
            "infer 0",
            "infer -1",
            "infer 1 x",
            "infer 99999999999",
            "infer 4294967297",
        ),
        *("db", "db load", "db load 0", "db load 4", "db load x", "db 0", "db zz", "db 00112233", "db print 4"),
        *("db print 1 3", "db print 3 1", "db print x"),
    ],
)
def test_a_command_with_an_error_changes_nothing(runner: Runner, command: str) -> None:
    runner.load(bytes([1, 2, 3]))
    runner.ask("infer 1 0")
    (said,) = runner.ask(command)
    assert said.startswith("e-["), said
    assert said.endswith("]")
    assert runner.ask("db print") == ["m-buffer-01-02-03"]
    assert runner.ask("results")[0].startswith("m-results-[0.006,")


def test_an_unknown_command_is_named(runner: Runner) -> None:
    assert runner.ask("frobnicate now") == ["e-[Unknown command: frobnicate]"]


def test_a_command_that_is_too_long_is_dropped_whole(runner: Runner, board: NativeBoard) -> None:
    board.port.write(b"name" + b"x" * 5000 + b"%")
    assert runner.lines() == ["e-[Command too long]"]
    board.port.write(b"x" * 80 + b"%")
    assert runner.lines() == ["e-[Unknown command: " + "x" * 80 + "]"]


def test_hostile_bytes_break_nothing(runner: Runner, board: NativeBoard) -> None:
    rng = random.Random(3)
    words = [
        b"db ",
        b"load ",
        b"print ",
        b"infer ",
        b"0",
        b"3",
        b"ff",
        b"%",
        b" ",
        b"results",
        b"\0",
        b"\xff",
        b"4294967295",
    ]
    sent = 0
    for _ in range(3000):
        text = b"".join(rng.choice(words) for _ in range(rng.randrange(9))).replace(b"4294967295 ", b"9 ")
        board.port.write(text + b"%")
        sent += text.count(b"%") + 1
    for _ in range(sent):
        runner.lines()
    assert runner.ask("name") == ["m-name-dut-[midge]"]
