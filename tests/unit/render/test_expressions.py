"""Index arithmetic prints what a person would write."""

from __future__ import annotations

import pytest

from midge.render.expressions import Expression, c_dot, c_index, c_product, c_sum, c_term


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("x", 3), "x + 3"),
        (("x", -3), "x - 3"),
        (("x", 0), "x"),
        ((0, "x", 0, "y"), "x + y"),
        ((2, "x", 3), "x + 5"),
        ((2, -2), 0),
        ((), 0),
    ],
)
def test_sums_leave_out_zeros(parts: tuple[Expression, ...], text: Expression) -> None:
    assert c_sum(*parts) == text


@pytest.mark.parametrize(
    ("expression", "factor", "text"),
    [
        ("x", 4, "x * 4"),
        ("x", 1, "x"),
        ("x", 0, 0),
        (3, 4, 12),
        ("x + 1", 4, "(x + 1) * 4"),
        ("x + 1", 1, "x + 1"),
        ("x * 3", 4, "x * 12"),
        ("a + x * 3", 4, "(a + x * 3) * 4"),
        ("in[i + 1]", 4, "in[i + 1] * 4"),
        ("(a - b)", 2, "(a - b) * 2"),
    ],
)
def test_products_keep_their_meaning(expression: Expression, factor: int, text: Expression) -> None:
    assert c_product(expression, factor) == text


@pytest.mark.parametrize(
    ("expression", "text"), [("x", "x"), ("x + 1", "(x + 1)"), ("f(a + 1)", "f(a + 1)"), (-3, "(-3)"), (3, "3")]
)
def test_terms_are_safe_to_multiply(expression: Expression, text: str) -> None:
    assert c_term(expression) == text


def test_a_loop_that_runs_once_has_no_variable() -> None:
    assert (c_index("i", 2), c_index("i", 1)) == ("i", 0)


def test_a_dot_product_is_an_index() -> None:
    assert c_dot(["i", "j", "k"], [12, 0, 1]) == "i * 12 + k"
