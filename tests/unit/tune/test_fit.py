"""What fits a board, and what is given up so that it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from midge.data import load_data
from midge.errors import DoesNotFitError
from midge.importers import import_model
from midge.pipeline import Compiled, compile_model
from midge.settings import Settings
from midge.tune.fit import compile_to_fit

DIGITS = Path(__file__).resolve().parents[3] / "examples" / "digits"


@pytest.fixture(scope="module")
def digits() -> Compiled:
    model = import_model(DIGITS / "digits.tflite")
    return compile_model(model, Settings(), load_data(DIGITS / "digits.npz", model.graph))


def _on(compiled: Compiled, *, flash_bytes: int, ram_bytes: int) -> Compiled:
    board = msgspec.structs.replace(compiled.board, flash_bytes=flash_bytes, ram_bytes=ram_bytes)
    return replace(compiled, board=board)


def test_what_fits_stays_as_it_is(digits: Compiled) -> None:
    fitting, given_up = compile_to_fit(digits)
    assert fitting is digits
    assert given_up == ()


def test_speed_is_given_up_for_memory_and_said_so(digits: Compiled) -> None:
    smallest = compile_to_fit(_smallest(digits))[0].program
    assert smallest.constant_bytes < digits.program.constant_bytes
    flash = (smallest.constant_bytes + digits.program.constant_bytes) // 2 + 8 * 1024
    fitting, given_up = compile_to_fit(_on(digits, flash_bytes=flash, ram_bytes=1 << 20))
    assert fitting.settings.optimize != "speed"
    assert fitting.program.constant_bytes < digits.program.constant_bytes
    assert given_up
    assert "--optimize speed does not fit" in given_up[0]


def test_what_can_never_fit_is_an_error_with_the_bytes(digits: Compiled) -> None:
    with pytest.raises(DoesNotFitError, match=r"bytes of RAM, it has 2,048"):
        compile_to_fit(_on(digits, flash_bytes=1 << 20, ram_bytes=2048))
    with pytest.raises(DoesNotFitError, match=r"bytes of flash, it has 8,192"):
        compile_to_fit(_on(digits, flash_bytes=8192, ram_bytes=1 << 20))


def _smallest(compiled: Compiled) -> Compiled:
    from midge.pipeline import compile_graph

    settings = replace(compiled.settings, optimize="size")
    return compile_graph(compiled.imported, compiled.canonical, compiled.graph, settings, compiled.board)
