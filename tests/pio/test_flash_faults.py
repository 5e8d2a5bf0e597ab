"""A bad line while avrdude flashes an emulated Uno: the upload succeeds all the same, or fails in words and in time;
what it leaves behind is never taken for the model, and the next upload over a good line mends it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from faulty_tcp import Fault, faulty_tcp
from midge.build import platformio
from midge.errors import LinkError
from midge.pipeline import run_on_board
from pio.conftest import Built
from simavr.board import bootloader, simavr

UPLOAD = 1  # the connections before and behind it are midge's
IN_PROGRAM, IN_ANSWERS, IN_READING_BACK = 2000, 60, 3000
LONGEST_SECONDS = 90.0

_QUICK = [("flip", "to", IN_PROGRAM)]
_ALL = [
    *((kind, "to", IN_PROGRAM) for kind in ("drop", "duplicate", "truncate", "delay")),
    *((kind, "from", IN_ANSWERS) for kind in ("drop", "duplicate", "flip", "truncate", "delay")),
    *((kind, "from", IN_READING_BACK) for kind in ("drop", "duplicate", "flip", "truncate", "delay")),
]


@pytest.mark.parametrize(
    ("kind", "way", "at"), [*_QUICK, *(pytest.param(*one, marks=pytest.mark.long) for one in _ALL)]
)
def test_a_fault_while_flashing(
    kind: str, way: str, at: int, hello_on_uno: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformio, "UPLOAD_SECONDS", 12.0)
    compiled = hello_on_uno.compiled
    with simavr("atmega328p", bootloader("atmega328p", tmp_path)) as board:
        started = time.monotonic()
        with faulty_tcp(board, Fault(kind, way, UPLOAD, at)) as line:
            try:
                report = run_on_board(compiled, None, f"socket://{line.name}", print, samples=3)
            except LinkError as error:
                print(error)
                assert error.hint
                assert "traceback" not in str(error).lower()
            else:
                assert report.exact.mismatches == 0
            assert line.met
        assert time.monotonic() - started < LONGEST_SECONDS
        again = run_on_board(compiled, None, f"socket://{board}", print, samples=3)
        assert (again.exact.samples, again.exact.mismatches) == (3, 0)
