"""Settings: defaults, files, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from midge.errors import SettingsError
from midge.settings import Settings, load_settings, settings_from_table


def test_a_file_overrides_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "midge.toml"
    path.write_text('board = "uno"\nranges = "mse"\npercentile = 99\n[kernels]\nconv2d = "portable"\n')
    assert load_settings(path) == Settings(board="uno", ranges="mse", percentile=99, kernels={"conv2d": "portable"})


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"precision": "int4"}, "allowed: int8, int16x8, dynamic, float, as-is"),
        ({"ranges": 3}, "allowed: minmax, percentile, mse"),
        ({"optimize": None}, "allowed: speed, balanced, size"),
        ({"percentile": 100.5}, "a number from 50 to 100"),
        ({"percentile": float("nan")}, "a number from 50 to 100"),
        ({"calibration_samples": 0}, "a whole number from 1"),
        ({"calibration_samples": True}, "a whole number from 1"),
        ({"seed": 1.5}, "a whole number from 0"),
        ({"float_io": 1}, "allowed: true, false"),
        ({"board": ""}, "a name in quotes"),
        ({"kernels": "portable"}, "a table"),
        ({"kernels": {"conv2d": 1}}, "a name in quotes"),
        ({"bord": "uno"}, "allowed: board, precision"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(table: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_from_table(table)
    assert next(iter(table)) in error.value.message
    assert says in error.value.hint


def test_errors_in_a_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "midge.toml"
    for text in ("board = ", 'ranges = "best"', "\x00"):
        path.write_text(text)
        with pytest.raises(SettingsError, match=r"midge\.toml"):
            load_settings(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"midge\.toml"):
        load_settings(path)
    with pytest.raises(SettingsError, match="absent"):
        load_settings(tmp_path / "absent.toml")
