"""Numbers and names as text."""

import pytest

from midge.report.figures import bar, count, duration, fair_widths, percent, ratio, shorten


@pytest.mark.parametrize(
    ("microseconds", "text"), [(0.5, "0.5 us"), (999.0, "999 us"), (22_140.0, "22.14 ms"), (3.2e6, "3.2 s")]
)
def test_a_duration_has_a_unit_that_suits_it(microseconds: float, text: str) -> None:
    assert duration(microseconds) == text


def test_what_is_not_known_is_a_dash() -> None:
    assert [count(None), ratio(None, 3), ratio(3, 0), percent(None, 3), percent(3, None)] == ["-"] * 5


def test_a_bar_grows_in_eighths() -> None:
    assert [bar(share, 2) for share in (0.0, 1 / 16, 0.5, 1.0, 2.0)] == ["", "▏", "█", "██", "██"]
    assert bar(0.5, 4, ascii_only=True) == "##"


def test_a_long_name_ends_in_a_mark() -> None:
    assert shorten("depthwise", 5) == "dept…"
    assert shorten("depthwise", 5, ascii_only=True) == "dept~"
    assert shorten("conv", 5) == "conv"


def test_columns_that_want_little_get_it() -> None:
    assert fair_widths([40, 5, 50], 45) == [20, 5, 20]
    assert fair_widths([4, 5], 45) == [4, 5]
