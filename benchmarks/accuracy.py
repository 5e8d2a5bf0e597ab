"""`make accuracy`: what quantization loses, on real data; rewrites docs/accuracy.json and docs/accuracy.md.

    python benchmarks/accuracy.py                            everything
    python benchmarks/accuracy.py --task kws --variant int4  one row; the others stay as they were recorded
    python benchmarks/accuracy.py --page                     the page again from the recorded figures

Needs the assets (MIDGE_ASSETS). Split 0 is run once a row, at the end; what is calibrated, learnt and chosen sees
splits 1 and 2. Ends with an error when a limit is not met or a value on the core differs from the interpreter's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

# Before numpy is imported: sums in one order on every computer.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from pathlib import Path
from typing import Any

from accuracy_page import page, verdict
from accuracy_rows import float_row, midge_row, other_row, subject
from accuracy_tasks import MIXED, TASKS, VARIANT_TITLES
from accuracy_times import times

DOCS = Path(__file__).resolve().parent.parent / "docs"
# The network whose steps are timed.
TIMED = "kws"
RECORD = DOCS / "accuracy.json"


def main() -> None:
    """Measure, record, write the page."""
    wanted = _arguments()
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {"rows": {}}
    if not wanted.page:
        assets = _assets()
        for name in wanted.task:
            _measure(name, wanted.variant, assets, record)
    (DOCS / "accuracy.md").write_text(page(record), encoding="utf-8")
    unmet = [key for key, row in record["rows"].items() if row.get("met") is False]
    wrong = [key for key, row in record["rows"].items() if row.get("on_the_core", {}).get("mismatches")]
    if unmet or wrong:
        raise SystemExit(
            f"not met: {', '.join(unmet) or 'none'}; other values on the core: {', '.join(wrong) or 'none'}"
        )


def _measure(name: str, variants: list[str], assets: Path, record: dict[str, Any]) -> None:
    known = subject(TASKS[name], assets)
    _keep(record, f"{name}/float", float_row(known))
    for variant in (v for v in VARIANT_TITLES if v in variants and v in {**known.task.limits, **known.task.must_lose}):
        row = midge_row(known, variant)
        if variant == MIXED and f"{name}/int8" in record["rows"]:
            row["half_of"] = record["rows"][f"{name}/int8"]["const_bytes"]
            row["met"] = row["met"] and 2 * row["const_bytes"] <= row["half_of"]
        _keep(record, f"{name}/{variant}", row)
    if name == TIMED and "times" in variants:
        record["times"] = times(known)
        _save(record)
    for title, file in known.task.others.items() if "others" in variants else ():
        _keep(record, f"{name}/{title}", other_row(known, assets / file))


def _keep(record: dict[str, Any], key: str, row: dict[str, Any]) -> None:
    record["rows"][key] = row
    _save(record)
    print(f"{key:40} {row['percent']:6.2f} %  {verdict(row)}", file=sys.stderr, flush=True)


def _save(record: dict[str, Any]) -> None:
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what quantization loses.")
    variants = [*VARIANT_TITLES, "times", "others"]
    parser.add_argument("--task", action="append", choices=TASKS, help="only this network (may be repeated)")
    parser.add_argument("--variant", action="append", choices=variants, help="only this variant (may be repeated)")
    parser.add_argument("--page", action="store_true", help="write the page from the recorded figures")
    wanted = parser.parse_args()
    wanted.task, wanted.variant = wanted.task or list(TASKS), wanted.variant or variants
    return wanted


def _assets() -> Path:
    folder = Path(os.environ.get("MIDGE_ASSETS", ""))
    if not (folder / "data" / "data.json").is_file():
        raise SystemExit("make accuracy needs the assets: set MIDGE_ASSETS to their folder")
    return folder


if __name__ == "__main__":
    main()
