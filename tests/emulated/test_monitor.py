"""`midge monitor` between midge and an emulated board: both directions, frame by frame."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from emulate_process import MIDGE, emulate
from midge import Settings, import_model
from midge.verification import BOARD, verify_model

HELLO = "models/tflm/hello_world_int8.tflite"


def test_both_directions_of_a_conversation_are_shown(asset: Callable[[str], Path]) -> None:
    model = asset(HELLO)
    with emulate(model, "cortex-m4f", "--precision", "as-is", "--tcp", 0) as (port, _):
        command = [*MIDGE, "monitor", port, "--pty", "--json"]
        monitor = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert monitor.stdout is not None
            between = json.loads(monitor.stdout.readline())["port"]
            found = verify_model(import_model(model), Settings(board="cortex-m4f"), BOARD, samples=2, port=between)
            monitor.send_signal(signal.SIGINT)
            said, _ = monitor.communicate(timeout=20)
        finally:
            monitor.kill()
            monitor.wait()
    assert monitor.returncode == 0
    assert found.agreement.mismatches == 0
    heard = [json.loads(line) for line in said.splitlines()]
    assert [one["name"] for one in heard if one["way"] == "to"][:2] == ["HELLO", "SIZES"]
    answers = [one for one in heard if one["name"] == "HELLO answer"]
    assert {one["model_name"] for one in answers} == {"hello_world_int8"}
    assert sum(one["name"] == "OUTPUT answer" for one in heard) == 2


def test_a_board_is_asked_and_its_answer_shown(asset: Callable[[str], Path]) -> None:
    with emulate(asset(HELLO), "uno", "--precision", "as-is", "--pty") as (port, _):
        command = [*MIDGE, "monitor", port, "--hello", "--seconds", "1"]
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    ask, answer = said.splitlines()
    assert ask.endswith("> HELLO #0")
    assert "< HELLO answer #0" in answer
    assert "model_name hello_world_int8" in answer
