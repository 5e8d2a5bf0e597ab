"""midge with none of its extras installed: every command explains itself, and says which extra it misses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"
MODEL, DATA = str(DIGITS / "digits.tflite"), str(DIGITS / "digits.npz")

# `midge` where the packages of extras cannot be found, as if they were not installed.
_BARE = """
import sys
from importlib.machinery import PathFinder

EXTRAS = {"capstone", "google", "h5py", "keras", "matplotlib", "onnx", "onnxscript", "optuna", "torch", "unicorn"}

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in EXTRAS else super().find_spec(name, path, target)

sys.meta_path = [Bare if finder is PathFinder else finder for finder in sys.meta_path]

from midge.cli import cli, main
"""


def bare(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `code` does with so many arguments, and no extras."""
    command = [sys.executable, "-c", _BARE + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_every_command_has_help() -> None:
    every = """
for name in cli.list_commands(None):
    print(name, len(cli.get_command(None, name).get_short_help_str()))
"""
    said = bare(every)
    assert said.returncode == 0, said.stderr
    lines = dict(line.split() for line in said.stdout.splitlines())
    assert {"compile", "compress", "distil", "run", "search", "train"} <= set(lines)
    assert all(int(length) > 0 for length in lines.values())


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["run", MODEL, "--board", "nucleo_l4r5zi", "--emulate", "--data", DATA], "emulator"),
        (["train", MODEL, "-o", "trained.tflite"], "train"),
        (["distil", MODEL, "-o", "trained.tflite", "--teacher", MODEL], "train"),
        (["search", MODEL, "--board", "nucleo_l4r5zi", "--data", DATA], "search"),
    ],
)
def test_a_command_says_which_extra_it_needs(arguments: list[str], extra: str) -> None:
    said = bare("main()", *arguments)
    assert said.returncode == 1
    assert f'pip install "midge[{extra}]"' in said.stderr
    assert "Traceback" not in said.stderr
