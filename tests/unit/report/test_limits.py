"""Limits as a user writes them."""

import pytest

from midge.errors import SettingsError
from midge.report.limits import METRICS, Limit, parse_limits


def test_limits_are_percentages_or_numbers() -> None:
    assert parse_limits("cycles=5%, flash=2048,accuracy=0.5") == {
        "cycles": Limit(5.0, is_percent=True),
        "flash": Limit(2048.0),
        "accuracy": Limit(0.5),
    }


def test_every_figure_can_be_limited() -> None:
    assert set(parse_limits(",".join(f"{name}=0" for name in METRICS))) == set(METRICS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no limit"),
        ("cycles", "'cycles' is no limit"),
        ("cycles=5%,", "no limit"),
        ("speed=5%", "no figure 'speed'"),
        ("cycles=fast", "'fast' is no number"),
        ("cycles=", "no number"),
        ("cycles=%", "no number"),
        ("cycles=5%%", "no number"),
        ("cycles=-1%", "from 0 up"),
        ("cycles=nan", "from 0 up"),
        ("cycles=inf%", "from 0 up"),
        ("cycles=1,cycles=2", "twice"),
        ("accuracy=0.5%", "by a number"),
        ("mismatches=5%", "by a number"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        parse_limits(text)
    assert caught.value.hint


def test_an_unknown_figure_comes_with_all_that_are_known() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_limits("speed=5%")
    assert all(name in caught.value.hint for name in METRICS)
