"""The command among other processes: signals that end it, pipes that close, terminals without letters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "examples" / "digits" / "digits_mlp.tflite"
MIDGE = (sys.executable, "-c", "from midge.cli import main; main()")
# Waits where the command would work for long, with a folder of its own, as builds have.
SLOW = """
import sys, tempfile, time
import midge.cli, midge.cli.boards
def wait():
    with tempfile.TemporaryDirectory() as folder:
        print(folder, flush=True)
        time.sleep(60)
midge.cli.boards.list_boards = wait
sys.argv = ["midge", "boards"]
midge.cli.main()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_a_signal_ends_the_command_and_its_folder_goes(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    assert not folder.exists()
    process.stdout.close()


def test_a_terminal_without_letters_gets_question_marks(tmp_path: Path) -> None:
    model = tmp_path / "größe→.tflite"
    model.write_bytes(MODEL.read_bytes())
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "1"}
    done = subprocess.run([*MIDGE, "inspect", model], capture_output=True, env=ascii_only, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"gr??e?: tflite, int8")


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen([*MIDGE, "inspect", MODEL], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0
    process.stderr.close()
