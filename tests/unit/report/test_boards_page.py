"""docs/boards.md is what the boards' files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midge.boards import list_boards, list_cores, load_board
from midge.data import load_data
from midge.importers import import_model
from midge.report.boards_page import STORED_FITS, boards_page
from midge.settings import Settings
from midge.tune.every_board import fit_boards

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "boards.md"
DIGITS = ROOT / "examples" / "digits" / "digits"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == boards_page(), "run: python -m midge.report.boards_page > docs/boards.md"


def test_every_board_and_core_is_on_it() -> None:
    lines = boards_page().splitlines()
    for name in list_boards():
        assert any(line.startswith(f"| `{name}` |") for line in lines)
        assert sum(line.startswith(f"| `{name}` |") for line in lines) == 1 + (load_board(name).platformio is not None)
    for name in list_cores():
        assert sum(line.startswith(f"| {name} |") for line in lines) == 2


def test_a_board_that_can_be_bought_is_not_said_to_have_run() -> None:
    for name in list_boards():
        if load_board(name).platformio is not None:
            assert _row(name).endswith(("nobody has run it on the board itself |", "neither built nor run |"))


def test_a_relative_of_a_core_is_not_said_to_be_it() -> None:
    for name in ("esp32dev", "xtensa-lx6"):
        assert "networks run exactly on QEMU's de212, a relative of it" in _row(name)


def test_what_is_stored_of_the_shipped_example_still_holds() -> None:
    name = "cortex-m4f"
    imported = import_model(DIGITS.with_suffix(".tflite"))
    (fit,) = fit_boards(imported, Settings(), [name], load_data(DIGITS.with_suffix(".npz"), imported.graph))
    stored = json.loads(STORED_FITS.read_text())["digits (example)"][name]
    assert fit.fits == stored["fits"]
    assert [fit.flash_bytes, fit.ram_bytes] == pytest.approx([stored["flash_bytes"], stored["ram_bytes"]], rel=0.2)


def _row(name: str) -> str:
    return next(line for line in boards_page().splitlines() if line.startswith(f"| `{name}` |"))
