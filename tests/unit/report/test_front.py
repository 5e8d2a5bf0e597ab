"""A recipe of widths in words: few layers by name, many by their number."""

from __future__ import annotations

import pytest

from midge.report.front import widths
from midge.tune.recipe import Measured
from midge.tune.search import Found


@pytest.mark.parametrize(
    ("narrow", "words"),
    [
        ((), "weights int8; activations int8"),
        (("b", "a"), "weights int8, int4: a, b; activations int8"),
        (("a", "b", "c", "d"), "weights int8, int4: 4 layers; activations int8"),
    ],
)
def test_layers_that_differ_are_named_where_they_are_few(narrow: tuple[str, ...], words: str) -> None:
    layers = "abcdefghi"
    recipe = {f"weights.{name}": "int4" if name in narrow else "int8" for name in layers}
    recipe |= {f"activations.{name}": "int8" for name in layers}
    assert widths(Found(recipe, Measured(0.0, 0.0, None, 1, 1, 1, 1, ""))) == words
