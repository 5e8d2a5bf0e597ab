"""The report survives JSON, refuses what is not one, and matches its published schema."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from midge.errors import DataError
from midge.report.record import Clock, Flash, Report, from_json, latency_is, read_report, to_json
from midge.report.schema import report_schema, schema_text
from report_examples import REPORT, changed

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "report.schema.json"


def broken(**parts: object) -> str:
    """The example as JSON with other values; None as a name's value stays null."""
    return json.dumps({**json.loads(to_json(REPORT)), **parts})


def test_a_report_survives_json() -> None:
    assert from_json(to_json(REPORT)) == REPORT


def test_a_report_without_data_survives_json() -> None:
    bare = changed(latency_us=None, latency_is=None, accuracy=None, instructions={"total": None})
    assert from_json(to_json(bare)) == bare
    assert json.loads(to_json(bare))["accuracy"] is None


def test_accuracy_is_spelled_float_integer_device() -> None:
    accuracy = json.loads(to_json(REPORT))["accuracy"]
    assert accuracy == {
        "metric": "top-1 accuracy",
        "samples": 499,
        "float": 91.58,
        "integer": 91.38,
        "device": 91.38,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ("[" * 100_000, "no report"),
        ('{"a":' * 100_000, "not JSON"),
        ("null", "no report"),
        ("{}", "no schema_version"),
        ('{"schema_version": "1"}', r"\$.schema_version"),
        ('{"schema_version": 2}', "version 2"),
        ('{"schema_version": 1}', "missing required field"),
        (broken(boards="x"), "boards"),
        (broken(model={"name": "x", "sha256": "short", "macs": 1}), r"\$.model.sha256"),
        (broken(clock={**json.loads(to_json(REPORT))["clock"], "kind": "guess"}), r"\$.clock.kind"),
        (broken(latency_us=None), "latency_us and latency_is"),
        (broken(flash={**json.loads(to_json(REPORT))["flash"], "code_bytes": 1}), "do not sum up"),
        (broken(ram={**json.loads(to_json(REPORT))["ram"], "stack_bytes": 1}), "do not sum up"),
    ],
)
def test_what_is_no_report_is_refused_in_words(text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        from_json(text, "old.json")
    assert "old.json" in str(caught.value)
    assert caught.value.hint


def test_a_report_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(to_json(REPORT))
    assert read_report(path) == REPORT


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(DataError, match=str(path)):
            read_report(path)


def test_parts_that_do_not_sum_up_are_no_flash() -> None:
    with pytest.raises(ValueError, match="sum up"):
        Flash(code_bytes=1, const_bytes=1, harness_bytes=1, total_bytes=4)


@pytest.mark.parametrize(
    ("kind", "counted", "of_chip", "expected"),
    [
        ("modelled cycles", 0, 5, "lower bound"),
        ("modelled cycles", 5, 5, "modelled"),
        ("modelled cycles", 0, 0, "modelled"),
        ("modelled cycles", 0, None, "modelled"),
        ("exact cycles", 0, 0, "exact"),
        ("exact cycles", 0, 1, "lower bound"),
        ("seconds", 0, 5, "measured"),
        ("instructions", 0, 5, None),
    ],
)
def test_a_latency_says_what_it_is(kind: str, counted: int, of_chip: int | None, expected: str | None) -> None:
    clock = {"kind": kind, "basis": "-", "hz": 1, "wait_states": counted, "chip_wait_states": of_chip}
    assert latency_is(msgspec.convert(clock, Clock)) == expected


def test_the_published_schema_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "python -m midge.report.schema > docs/report.schema.json"


@pytest.mark.parametrize("report", [REPORT, changed(accuracy=None, latency_us=None, latency_is=None)])
def test_reports_validate_against_the_schema(report: Report) -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())
    jsonschema.validate(json.loads(to_json(report)), report_schema())


def test_the_schema_refuses_a_misspelled_field() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(broken(latencyus=1)), report_schema())
