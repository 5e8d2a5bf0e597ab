"""`midge emulate`: a board that any serial program can open, driven by midge itself as it drives a real one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from emulate_process import emulate
from midge import Settings, compile_model, import_model
from midge.cli import main
from midge.pipeline import run_on_board
from midge.run.conversation import Conversation
from midge.verification import BOARD, verify_model

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
HELLO = "models/tflm/hello_world_int8.tflite"


def test_midge_runs_a_board_behind_a_device_path_as_a_real_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = DIGITS / "digits.tflite", DIGITS / "digits.npz"
    with emulate(model, "nano33ble", "--data", data, "--pty") as (port, _):
        command = [
            "run",
            model,
            "--board",
            "nano33ble",
            "--data",
            data,
            "--port",
            port,
            "--samples",
            20,
            "--runs",
            30,
            "--json",
        ]
        monkeypatch.setattr("sys.argv", ["midge", *map(str, command)])
        with pytest.raises(SystemExit) as ended:
            main()
        report = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert (report["exact"]["samples"], report["exact"]["mismatches"]) == (20, 0)
    assert report["accuracy"]["device"] == report["accuracy"]["integer"]
    assert report["clock"]["kind"] == "modelled cycles", "what an emulator counts is not called seconds"
    assert report["latency"]["runs"] == 30
    assert all(layer["latency"]["runs"] == 30 for layer in report["cycles"]["per_layer"])
    assert report["flash"] is None, "nobody has built this firmware with PlatformIO"


@pytest.mark.parametrize("board", ["uno", "xtensa-lx106"])
def test_verify_proves_a_board_behind_a_socket(board: str, asset: Callable[[str], Path]) -> None:
    model = asset(HELLO)
    with emulate(model, board, "--precision", "as-is", "--tcp", 0) as (port, _):
        assert port.startswith("socket://")
        found = verify_model(import_model(model), Settings(board=board), BOARD, samples=5, port=port)
    assert (found.agreement.samples, found.agreement.mismatches) == (5, 0)


def test_programs_may_come_and_go(asset: Callable[[str], Path]) -> None:
    model = asset(HELLO)
    settings = Settings(board="cortex-m4f", precision="as-is")
    for way in (("--pty",), ("--tcp", 0)):
        with emulate(model, "cortex-m4f", "--precision", "as-is", *way) as (port, _):
            for _ in range(3):
                with serial.serial_for_url(port, baudrate=921600) as opened:
                    opened.write(b"\x00garbage")
                with serial.serial_for_url(port, baudrate=115200) as opened:
                    assert Conversation(opened).hello().model_name == "hello_world_int8"
            said: list[str] = []
            report = run_on_board(compile_model(import_model(model), settings), None, port, said.append, samples=3)
            assert said == ["the board runs this model already"]
            assert report.exact.mismatches == 0


def test_a_twin_in_a_file_is_a_port(
    asset: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = asset(HELLO)
    arguments = ("compile", model, "--board", "uno", "--precision", "as-is", "-o", tmp_path, "--twin")
    monkeypatch.setattr("sys.argv", ["midge", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    url = f"emu://{tmp_path}/twin.elf?board=uno"
    assert f"--port '{url}'" in capsys.readouterr().err
    found = verify_model(import_model(model), Settings(board="uno"), BOARD, samples=3, port=url)
    assert (found.agreement.samples, found.agreement.mismatches) == (3, 0)


def test_a_speed_holds_the_bytes_back(asset: Callable[[str], Path]) -> None:
    with (
        emulate(asset(HELLO), "cortex-m4f", "--precision", "as-is", "--pty", "--speed", 1200) as (port, _),
        serial.serial_for_url(port, baudrate=1200) as opened,
    ):
        opened.write(b"\x00" * 60)
        started = time.monotonic()
        Conversation(opened).hello()
        # 14 bytes there, 60 and more back, at 120 bytes a second, behind 60 others
        assert 1.0 < time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "behind what"), (("--pty", "--tcp", "0"), "behind what"), (("--pty", "--board", "uno_x"), "no board")],
)
def test_a_wrong_wish_is_refused_in_words(
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["midge", "emulate", str(DIGITS / "digits.tflite"), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert words in capsys.readouterr().err
