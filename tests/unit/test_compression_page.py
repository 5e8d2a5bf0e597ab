"""docs/compression.md is what `make compress-report` makes of its figures, and says which limit is missed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
MODULES = ("compression_page", "compression_records", "compression_rows", "compression_tasks", "tables")


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    for name in MODULES:
        sys.modules.pop(name, None)


def test_the_page_is_made_from_the_recorded_figures() -> None:
    from compression_page import page

    record = json.loads((DOCS / "compression.json").read_text(encoding="utf-8"))
    assert page(record) == (DOCS / "compression.md").read_text(encoding="utf-8")


def _record(row: str, **changed: Any) -> dict[str, Any]:
    drop = {"against": "float", "points": 0.2, "low": -1.0, "high": 1.0}
    costs = {"const_bytes": 400, "cycles": 6000, "macs": 1000}
    return {
        "model": "mnist",
        "row": row,
        "accuracy": 97.0,
        "drop": drop,
        "limit": 0.5,
        "must_beat": None,
        **costs,
    } | changed


def test_a_limit_that_is_missed_is_said() -> None:
    from compression_records import missed

    small = {"const_bytes": 100, "cycles": 2000}
    start = _record("float", limit=None)
    assert missed([start, _record("int8", **small)]) == []
    lost = {"against": "float", "points": 0.7, "low": 0.1, "high": 1.0}
    said = missed([{**start, "cycles": 7000}, _record("int8", drop=lost, const_bytes=200, cycles=3000)])
    assert said == [
        "mnist int8 loses 0.70 points, not 0.5",
        "the float C takes 7.00 cycles per MAC",
        "int8: constants only 2.00 times smaller",
        "int8: only 2.33 times faster",
    ]
    student = [_record("alone", limit=None), _record("distilled", limit=None, must_beat="alone")]
    assert missed(student) == ["mnist distilled is no better than alone"]
    assert missed([_record("int8", model="kws", drop=lost)]) == []


def test_what_is_kept_of_a_row_is_which_samples_are_right() -> None:
    import numpy as np
    from compression_records import right_of

    right = np.random.default_rng(1).random(13) < 0.5
    found = {"right": np.packbits(right).tobytes().hex(), "samples": 13}
    assert (right_of(found) == right).all()
