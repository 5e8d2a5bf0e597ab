"""docs/report.schema.json, derived from the record: `python -m midge.report.schema > docs/report.schema.json`."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from midge.report.record import Report


def report_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what `midge run --json` prints."""
    schema = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "midge report", **schema}


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(report_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
