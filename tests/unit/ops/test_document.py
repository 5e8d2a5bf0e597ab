"""The page of operators is what the docstrings say."""

from __future__ import annotations

from pathlib import Path

from midge.ops import readers
from midge.ops.document import document

PAGE = Path(__file__).parents[3] / "docs" / "operators.md"


def test_the_page_of_operators_is_current() -> None:
    assert PAGE.read_text() == document(), "python -m midge.ops.document docs/operators.md"


def test_every_operator_that_a_file_can_have_is_on_the_page() -> None:
    text = document()
    assert all(code in text for code in readers("TFLITE"))
