"""`make compress-report`: what compression gains and loses; rewrites docs/compression.json and docs/compression.md.

    python benchmarks/compression.py                          everything, in two processes
    python benchmarks/compression.py --net mnist --row 1x4-75    one row; the others stay as they were recorded
    python benchmarks/compression.py --row 1x4-75 --seeds 1         a look at one seed; nothing is recorded
    python benchmarks/compression.py --page                   the page again from the recorded figures

Needs the assets (MIDGE_ASSETS) and PyTorch. Split 0 is run once a row, at the end; what is trained, calibrated and
chosen sees splits 1 and 2. Rows that were measured before are found below build/compress. Ends with an error when a
limit is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

# Before numpy is imported: sums in one order on every computer.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from compression_page import page
from compression_records import missed, record_of
from compression_rows import SEEDS, rows
from compression_tasks import EFFORTS

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORD = DOCS / "compression.json"
Task = tuple[str, str, int]


def main() -> None:
    """Measure, record, write the page."""
    wanted = _arguments()
    if not wanted.page:
        found = _all(wanted)
        made = [
            record_of(net, key, {s: found[net, key, s] for s in range(wanted.seeds) if (net, key, s) in found}, found)
            for net in wanted.net
            for key in _keys(net, wanted.row)
            if (net, key, 0) in found
        ]
        if wanted.seeds != SEEDS:
            print(json.dumps(made, indent=1))
            return
        RECORD.write_text(json.dumps(_in_order(made), indent=1) + "\n", encoding="utf-8")
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    (DOCS / "compression.md").write_text(page(record), encoding="utf-8")
    if failed := missed(record):
        raise SystemExit("missed: " + "; ".join(failed))


def _in_order(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured now; rows that were not stay as they were recorded."""
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else []
    known = {(r["model"], r["row"]): r for r in (*before, *made)}
    return [known[net, key] for net in EFFORTS for key in rows(EFFORTS[net]) if (net, key) in known]


def _keys(net: str, wanted: list[str] | None) -> list[str]:
    return [key for key in rows(EFFORTS[net]) if not wanted or key in wanted]


def _all(wanted: argparse.Namespace) -> dict[Task, dict[str, Any]]:
    """What was measured of every row and seed; rows are compared with `float` and `int8`, which come along."""
    assets = _assets()
    units = [(net, seed, _needed(net, wanted.row, seed)) for seed in range(wanted.seeds) for net in wanted.net]
    found: dict[Task, dict[str, Any]] = {}
    if wanted.known:
        for unit in units:
            found |= _measure(assets, *unit, known=True)
        return found
    with ProcessPoolExecutor(wanted.jobs, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_measure, assets, *unit) for unit in units]):
            found |= future.result()
    return found


def _needed(net: str, wanted: list[str] | None, seed: int) -> list[str]:
    """The rows of one seed."""
    keys = dict.fromkeys(["float", "int8", *_keys(net, wanted)])
    return [key for key in keys if seed < rows(EFFORTS[net])[key].seeds(SEEDS)]


def _measure(assets: Path, net: str, seed: int, keys: list[str], *, known: bool = False) -> dict[Task, dict[str, Any]]:
    """All rows of one network and seed; with `known` those that were measured before."""
    from compression_measure import measured
    from compression_places import place

    found: dict[Task, dict[str, Any]] = {}
    for key in keys:
        with suppress(KeyError) if known else nullcontext():
            one = place(assets, net, seed)
            found[net, key, seed] = measured(one, rows(EFFORTS[net])[key], with_cost=seed == 0, known=known)
            print(f"{time.strftime('%X')}  {net} {key} {seed}", file=sys.stderr, flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what compression gains and loses.")
    parser.add_argument("--net", action="append", choices=EFFORTS, help="only this network (may be repeated)")
    parser.add_argument("--row", action="append", help="only this row (may be repeated)")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--known", action="store_true", help="record what was measured before, and nothing else")
    parser.add_argument("--page", action="store_true", help="write the page from the recorded figures")
    wanted = parser.parse_args()
    wanted.net = wanted.net or list(EFFORTS)
    return wanted


def _assets() -> Path:
    folder = Path(os.environ.get("MIDGE_ASSETS", ""))
    if not (folder / "data" / "data.json").is_file():
        raise SystemExit("make compress-report needs the assets: set MIDGE_ASSETS to their folder")
    return folder


if __name__ == "__main__":
    main()
