"""docs/boards.md is what the boards' files say."""

from __future__ import annotations

from pathlib import Path

from midge.boards import list_boards, list_cores
from midge.report.boards_page import boards_page

PAGE = Path(__file__).parents[3] / "docs" / "boards.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == boards_page(), "run: python -m midge.report.boards_page > docs/boards.md"


def test_every_board_and_core_is_on_it() -> None:
    lines = boards_page().splitlines()
    for name in list_boards():
        assert any(line.startswith(f"| `{name}` |") for line in lines)
    for name in list_cores():
        assert sum(line.startswith(f"| {name} |") for line in lines) == 2


def test_a_board_that_can_be_bought_is_not_said_to_have_run() -> None:
    (row,) = (line for line in boards_page().splitlines() if line.startswith("| `nucleo_l4r5zi` |"))
    assert row.endswith("nobody has run it on the board itself |")
