"""docs/accuracy.md is what `make accuracy` makes of its figures, and nothing that was typed in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    for name in ("accuracy_page", "accuracy_tasks", "tables"):
        sys.modules.pop(name, None)


def test_the_page_is_made_from_the_recorded_figures() -> None:
    from accuracy_page import page

    record = json.loads((DOCS / "accuracy.json").read_text(encoding="utf-8"))
    assert page(record) == (DOCS / "accuracy.md").read_text(encoding="utf-8")


def test_every_value_on_the_core_is_the_interpreters() -> None:
    rows = json.loads((DOCS / "accuracy.json").read_text(encoding="utf-8"))["rows"]
    compared = [row["on_the_core"] for row in rows.values() if "on_the_core" in row]
    assert compared
    assert [found for found in compared if found["mismatches"] or not found["samples"]] == []


def test_a_row_says_that_its_limit_is_not_met() -> None:
    from accuracy_page import verdict

    row = {"points": 3.0, "low": 1.0, "high": 5.0, "limit": 2.0, "met": False}
    assert verdict(row) == "+3.00 [+1.00, +5.00], at most 2: NOT met"


def test_the_breaking_net_computes_what_the_digits_do_with_ranges_a_hundred_times_apart() -> None:
    from breaking_net import breaking

    from midge.data import load_data
    from midge.importers import import_model
    from midge.interpreter import interpret, interpret_all
    from midge.passes import CANONICALIZE, run_passes

    digits = run_passes(import_model(REPOSITORY / "examples" / "digits" / "digits.tflite").graph, CANONICALIZE)
    broken = breaking(digits)
    data = load_data(REPOSITORY / "examples" / "digits" / "digits.npz", digits)
    largest = []
    for x in data.inputs_for(digits.input_tensors[0], data.calibrate[:30]):
        assert interpret(broken, [x])[0].argmax() == interpret(digits, [x])[0].argmax()
        values = interpret_all(broken, [x])
        inside = next(op for op in broken.ops if op.name == "block_depthwise_relu").outputs[0]
        largest.append(values[inside].reshape(-1, 16).max(axis=0))
    ranges = max(largest, key=lambda r: float(r.max())).max(), min(r[r > 0].min() for r in largest)
    assert ranges[0] / ranges[1] > 50
