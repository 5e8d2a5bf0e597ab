"""Each verdict, in both directions, and what cannot be compared."""

import json
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from midge.errors import SettingsError
from midge.report.compare import Comparison, Row, compare, comparison_json
from midge.report.compare_console import comparison_text
from midge.report.limits import parse_limits
from report_examples import LAYERS, REPORT, changed


def row(name: str, limits: str, **new: Any) -> Row:
    """The row of one figure after a change."""
    return next(r for r in compare(REPORT, changed(**new), parse_limits(limits)).rows if r.name == name)


def compared(limits: str = "cycles=5%", **new: Any) -> Comparison:
    return compare(REPORT, changed(**new), parse_limits(limits))


@pytest.mark.parametrize(
    ("new_total", "limits", "verdict"),
    [
        (1_051_050, "cycles=5%", "ok"),
        (1_051_051, "cycles=5%", "failed"),
        (500_000, "cycles=5%", "ok"),
        (500_000, "cycles=0", "ok"),
        (1_001_001, "cycles=0%", "failed"),
        (1_001_100, "cycles=100", "ok"),
        (1_001_101, "cycles=100", "failed"),
        (9_999_999, "flash=1%", "no limit"),
    ],
)
def test_cycles_may_grow_up_to_their_limit(new_total: int, limits: str, verdict: str) -> None:
    assert row("cycles", limits, cycles={"total": new_total}).verdict == verdict


@pytest.mark.parametrize(
    ("device", "verdict"), [(91.38, "ok"), (90.88, "ok"), (90.87, "failed"), (99.0, "ok"), (None, "no data")]
)
def test_accuracy_may_fall_up_to_its_limit(device: float | None, verdict: str) -> None:
    assert row("accuracy", "accuracy=0.5", accuracy={"device": device}).verdict == verdict


@pytest.mark.parametrize("limits", ["mismatches=0", "mismatches=0,accuracy=1"])
def test_a_single_new_mismatch_is_past_a_limit_of_none(limits: str) -> None:
    assert row("mismatches", limits, exact={"mismatches": 1}).verdict == "failed"
    assert row("mismatches", limits).verdict == "ok"


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("instructions", {"instructions": {"total": 804_001}}),
        ("latency", {"latency_us": 8342.0}),
        ("flash", {"flash": {"code_bytes": 9_001, "total_bytes": 67_501}}),
        ("ram", {"ram": {"static_bytes": 17, "total_bytes": 17_705}}),
        ("arena", {"ram": {"arena_bytes": 16_001, "static_bytes": 15}}),
        ("stack", {"ram": {"stack_bytes": 489, "static_bytes": 15}}),
    ],
)
def test_more_of_anything_is_worse_and_less_is_better(name: str, new: dict[str, Any]) -> None:
    worse, limits = changed(**new), parse_limits(f"{name}=0")
    assert [r.name for r in compare(REPORT, worse, limits).failures] == [name]
    assert compare(worse, REPORT, limits).passed


def test_a_limit_without_data_fails_whichever_report_lacks_it() -> None:
    bare, limits = changed(accuracy=None), parse_limits("accuracy=0.5")
    for old, new in ((REPORT, bare), (bare, REPORT), (bare, bare)):
        comparison = compare(old, new, limits)
        assert [r.verdict for r in comparison.failures] == ["no data"]
        assert not comparison.passed


def test_missing_accuracy_without_a_limit_fails_nothing() -> None:
    assert compared(accuracy=None).passed


def test_a_percentage_of_nothing_allows_nothing() -> None:
    none = changed(ram={"stack_bytes": 0, "static_bytes": 504})
    assert not compare(none, REPORT, parse_limits("stack=50%")).passed


@pytest.mark.parametrize(
    ("new", "what"),
    [
        ({"board": "uno"}, "board: nucleo_l4r5zi before, uno now"),
        ({"core": "avr"}, "core"),
        ({"clock": {"kind": "seconds"}}, "counts"),
        ({"model": {"name": "other", "sha256": "0" * 64}}, "model"),
    ],
)
def test_reports_of_different_things_are_compared_only_when_told(new: dict[str, Any], what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        compared(**new)
    forced = compare(REPORT, changed(**new), {}, anyway=True)
    assert any(what in warning for warning in forced.warnings)


@pytest.mark.parametrize(
    ("new", "what"),
    [
        ({"toolchain": {"version": "13.3"}}, "compiler"),
        ({"toolchain": {"flags": ("-O3",)}}, "flags"),
        ({"clock": {"hz": 80_000_000}}, "clock"),
        ({"clock": {"wait_states": 4}}, "wait states"),
        ({"clock": {"basis": "a guess"}}, "basis"),
        ({"precision": "float"}, "precision"),
        ({"accuracy": {"samples": 10}}, "samples"),
        ({"model": {"sha256": "0" * 64}}, "file of model kws changed"),
    ],
)
def test_other_conditions_are_a_warning(new: dict[str, Any], what: str) -> None:
    (warning,) = compared(**new).warnings
    assert what in warning


def test_a_renamed_file_is_the_same_model() -> None:
    assert compared(model={"name": "copy of kws"}).warnings == ()


def test_the_layers_that_changed_are_named_largest_change_first() -> None:
    conv, depthwise, softmax = LAYERS
    slower = (
        msgspec.structs.replace(conv, cycles=640_124),
        depthwise,
        msgspec.structs.replace(softmax, cycles=5_000),
    )
    assert [layer.name for layer in compared(cycles={"per_layer": slower}).layers] == ["softmax", "conv_1"]


def test_a_comparison_is_json() -> None:
    found = json.loads(comparison_json(compared("cycles=5%", cycles={"total": 2_002_000})))
    assert found["passed"] is False
    assert found["rows"][0] == {
        "name": "cycles",
        "unit": "",
        "old": 1_001_000,
        "new": 2_002_000,
        "difference": 1_001_000,
        "limit": "5%",
        "verdict": "failed",
    }


@pytest.mark.parametrize("width", [40, 80])
def test_the_table_shows_old_new_difference_limit_and_verdict(width: int) -> None:
    comparison = compared("cycles=5%,accuracy=2", cycles={"total": 1_101_100}, toolchain={"version": "13.3"})
    text = comparison_text(comparison, width)
    for fact in ("1,001,000", "1,101,100", "+100,100 (+10.0%)", "5%", "failed: cycles", "ok", "no limit", "13.3"):
        assert fact in text
    assert max(map(cell_len, text.splitlines())) <= width


def test_a_comparison_that_passes_says_so() -> None:
    assert "passed: 1 of 1 limits hold" in comparison_text(compared())
    assert "no limits given" in comparison_text(compare(REPORT, REPORT, {}))
