"""Many samples over a line of a real speed, and what becomes of a run that is stopped in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from counting_port import requests_repeated
from emulate_process import MIDGE, emulate

HELLO = "models/tflm/hello_world_int8.tflite"
KEYWORDS = "models/mlperf_tiny/kws_dscnn_int8.tflite"
AS_IS = ("--precision", "as-is")


@pytest.mark.parametrize(
    ("network", "samples", "speed"),
    [
        (HELLO, 200, 921_600),
        *(pytest.param(HELLO, 1000, speed, marks=pytest.mark.long) for speed in (115_200, 921_600)),
        *(pytest.param(KEYWORDS, 1000, speed, marks=pytest.mark.long) for speed in (115_200, 921_600)),
    ],
)
def test_samples_pass_without_a_stall(network: str, samples: int, speed: int, asset: Callable[[str], Path]) -> None:
    with (
        emulate(asset(network), "cortex-m4f", *AS_IS, "--pty", "--speed", speed) as (port, _),
        serial.serial_for_url(port, baudrate=speed) as opened,
    ):
        assert requests_repeated(opened, samples) == 0


def _run(model: Path, port: str, samples: int) -> subprocess.Popen[str]:
    command = [*MIDGE, "run", str(model), "--board", "cortex-m4f", *AS_IS, "--port", port, "--samples", str(samples)]
    return subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _until_it_runs(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    while "this model already" not in process.stderr.readline():
        assert process.poll() is None


def test_ctrl_c_leaves_board_and_port_clean(asset: Callable[[str], Path]) -> None:
    with emulate(asset(HELLO), "cortex-m4f", *AS_IS, "--pty", "--speed", 9600) as (port, _):
        stopped = _run(asset(HELLO), port, 2000)
        _until_it_runs(stopped)
        time.sleep(2)
        stopped.send_signal(signal.SIGINT)
        said, talk = stopped.communicate(timeout=60)
        assert (stopped.returncode, said) == (130, "")
        assert "stopped" in talk
        assert "Traceback" not in talk
        again = _run(asset(HELLO), port, 3)
        report = json.loads(again.communicate(timeout=120)[0])
        assert again.returncode == 0
        assert (report["exact"]["samples"], report["exact"]["mismatches"]) == (3, 0)


@pytest.mark.parametrize("way", [("--tcp", 0), ("--pty",)])
def test_a_dropped_cable_keeps_the_samples_before(way: tuple[object, ...], asset: Callable[[str], Path]) -> None:
    with emulate(asset(HELLO), "cortex-m4f", *AS_IS, *way, "--speed", 19_200) as (port, cable):
        run = _run(asset(HELLO), port, 2000)
        _until_it_runs(run)
        time.sleep(4)  # of 500
        cable.terminate()
        said, talk = run.communicate(timeout=120)
        cable.wait(60)
    assert run.returncode == 1
    report = json.loads(said)
    assert 0 < report["exact"]["samples"] < 2000
    assert report["exact"]["mismatches"] == 0
    assert report["incomplete"]
    assert f"the report is of the {report['exact']['samples']} samples before that" in talk
    assert "try:" in talk
