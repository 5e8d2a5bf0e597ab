"""`make bench`: the MLPerf Tiny networks on the emulated cores, beside their limits and the peers.

    python benchmarks/run.py                          everything; rewrites results.json and the pages made from it
    python benchmarks/run.py --core rv32imc           the rows of one core; the others stay as they were recorded
    python benchmarks/run.py --core cortex-m4f --model kws_dscnn_int8 --dry      one row, nothing written

Needs the assets (MIDGE_ASSETS). Every output value is compared with goldens; a difference ends it with an error. The
written files hold no times, dates or paths: on one compiler they come out the same on every computer, but for the
ratios of the section on the host.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from document import document
from models import measure
from readme import write_table
from scaling import scaling
from small_cores import TITLES
from tables import table

from midge.errors import MidgeError

HERE = Path(__file__).resolve().parent
CORES = ("cortex-m4f", "cortex-m7", "cortex-m33", "cortex-m3", "cortex-m0plus", *TITLES)
# Where memory is looked at besides: everything else is measured for speed alone.
SIZE_CORE = "cortex-m4f"


def main() -> None:
    """Measure, print, and write unless told not to."""
    peers = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
    wanted = _arguments(list(peers["models"]))
    assets = _assets()
    rows = []
    for core in wanted.core:
        for model in wanted.model:
            goals = ("speed", "size") if core == SIZE_CORE else ("speed",)
            for goal in goals:
                stem = assets / peers["models"][model]["file"]
                rows.append(_measured(stem, core, goal, wanted.samples))
    is_part = wanted.core != list(CORES) or wanted.model != list(peers["models"])
    host = [] if is_part or wanted.no_host else _host(assets, peers)
    results = _joined(rows) if is_part else {"rows": rows, "host": host}
    if not wanted.dry:
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        page = HERE.parent / "docs" / "benchmarks.md"
        page.write_text(document(results, peers), encoding="utf-8")
        write_table(results, peers)
        print(f"wrote {page.name}, results.json and the table of README.md", file=sys.stderr)
    wrong = [row for row in rows if row["mismatches"]]
    if wrong:
        raise SystemExit("outputs differ: " + ", ".join(f"{r['model']} on {r['core']}" for r in wrong))


def _joined(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What is recorded, with these rows in the place of those of the same cores, models and goals."""

    def key(row: dict[str, Any]) -> tuple[str, str, str]:
        return row["core"], row["model"], row["optimize"]

    recorded = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    fresh = {key(row): row for row in rows}
    kept = [fresh.pop(key(row), row) for row in recorded["rows"]]
    return {**recorded, "rows": [*kept, *fresh.values()]}


def _measured(stem: Path, core: str, goal: Any, samples: int) -> dict[str, Any]:
    try:
        row = measure(stem, core, goal, samples)
    except MidgeError as problem:
        raise SystemExit(f"{stem.name} on {core}: {problem}") from problem
    heads = ("cycles", "instructions", "code_bytes", "const_bytes", "ram_bytes", "stack_bytes", "mismatches")
    figures = "  ".join(f"{head.removesuffix('_bytes')} {row[head]:,}" for head in heads if row[head] is not None)
    each = (row["cycles"] or row["instructions"]) / row["macs"]
    print(f"{core:13} {row['model']:18} {goal:5}  {each:6.2f} per MAC  {figures}", flush=True)
    return row


def _host(assets: Path, peers: dict[str, Any]) -> list[dict[str, Any]]:
    """Seconds go to the terminal; what is kept is how they grow, and whether limits hold."""
    vww = assets / peers["models"]["vww96_int8"]["file"]
    found = scaling({"VWW": vww.with_suffix(".tflite")})
    print(table(["net", "file bytes", "seconds", "peak MB"], [_host_row(row) for row in found]))
    first = found[0]["seconds"]
    return [
        {
            "net": row["net"],
            "file_bytes": row["file_bytes"],
            "time_ratio": round(row["seconds"] / first, 1),
            "under_3_seconds": row["seconds"] < 3,
            "under_500_megabytes": row["megabytes"] < 500,
        }
        for row in found
    ]


def _host_row(row: dict[str, Any]) -> list[str]:
    return [row["net"], f"{row['file_bytes']:,}", f"{row['seconds']:.2f}", f"{row['megabytes']:.0f}"]


def _arguments(models: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the MLPerf Tiny networks on the emulated cores.")
    parser.add_argument("--core", action="append", choices=CORES, help="only this core (may be repeated)")
    parser.add_argument("--model", action="append", choices=models, help="only this model (may be repeated)")
    parser.add_argument("--samples", type=int, default=3, help="golden samples per row (default 3)")
    parser.add_argument("--no-host", action="store_true", help="leave out what compiling costs this computer")
    parser.add_argument("--dry", action="store_true", help="print only")
    wanted = parser.parse_args()
    if wanted.no_host and not (wanted.core or wanted.model or wanted.dry):
        parser.error("what compiling costs would be lost: add --dry")
    wanted.core, wanted.model = wanted.core or list(CORES), wanted.model or models
    return wanted


def _assets() -> Path:
    folder = Path(os.environ.get("MIDGE_ASSETS", ""))
    if not (folder / "models" / "models.json").is_file():
        raise SystemExit("make bench needs the assets: set MIDGE_ASSETS to their folder")
    return folder


if __name__ == "__main__":
    main()
