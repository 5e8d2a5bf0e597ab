"""Indentation and folding keep the tokens and the limit."""

from __future__ import annotations

import pytest

from midge.render.layout import WIDTH, fold, indent_blocks


def test_lines_are_indented_by_the_braces_around_them() -> None:
    text = "void f(void) {\nfor (;;) {\n\n  a();\n}\n} "
    assert indent_blocks(text) == "void f(void) {\n    for (;;) {\n        a();\n    }\n}"


@pytest.mark.parametrize("text", ["}", "{", "a {\n}\n}"])
def test_braces_that_do_not_match_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="brace"):
        indent_blocks(text)


def test_a_short_line_stays() -> None:
    assert fold("int a = 1;\n\n    b();\n") == "int a = 1;\n\n    b();\n"


def test_a_long_call_is_aligned_to_its_parenthesis() -> None:
    line = "    function(" + ", ".join(f"argument{i}" for i in range(20)) + ");"
    folded = fold(line).split("\n")
    assert all(len(piece) <= WIDTH for piece in folded)
    assert all(piece.startswith(" " * len("    function(") + "argument") for piece in folded[1:])
    assert " ".join(piece.strip() for piece in folded) == line.strip()


def test_names_too_long_to_align_are_indented_instead() -> None:
    line = "void " + "f" * 60 + "(int a, " + ", ".join("int " + "x" * 70 for _ in range(3)) + ") {"
    folded = fold(line).split("\n")
    assert all(len(piece) <= WIDTH for piece in folded)
    assert all(piece.startswith("        int") for piece in folded[1:])


def test_a_long_comment_goes_on_as_a_comment() -> None:
    folded = fold("    /* " + "word " * 60 + "*/").split("\n")
    assert len(folded) > 1
    assert all(len(piece) <= WIDTH for piece in folded)
    assert all(piece.startswith("     * word") for piece in folded[1:])


def test_a_text_is_not_broken() -> None:
    text = '"' + "a b, " * 10 + '"'
    folded = fold(f"_Static_assert(something_long_enough_{'x' * 60} <= another, {text});")
    assert text in folded
    assert "\n" in folded


def test_a_preprocessor_line_stays() -> None:
    line = "#define X " + "a " * 100
    assert fold(line) == line
