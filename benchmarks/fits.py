"""What fits where: `midge fit` of the shipped example and of well-known networks, as benchmarks/fits.json.

    python benchmarks/fits.py                  rewrites fits.json, from which docs/boards.md takes its table
    python benchmarks/fits.py uno mega2560     only those boards in it

Needs the assets (MIDGE_ASSETS) and every compiler and emulator of the cores. The file holds no times, dates or paths.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from midge.boards import list_boards
from midge.data import load_data
from midge.importers import import_model
from midge.settings import Settings
from midge.tune.every_board import BoardFit, fit_boards

HERE = Path(__file__).resolve().parent
FILE = HERE / "fits.json"
EXAMPLE = HERE.parent / "examples" / "digits" / "digits"
MODELS = {
    "hello_world": "tflm/hello_world_int8",
    "mnist (arduino)": "tinymaix/mnist_arduino_q",
    "mnist (valid)": "tinymaix/mnist_valid_q",
    "mnist (dw)": "tinymaix/mnist_dw_q",
    "keywords (DS-CNN)": "mlperf_tiny/kws_dscnn_int8",
    "anomalies (AD)": "mlperf_tiny/ad01_int8",
    "person_detect": "tflm/person_detect_int8",
}


def main() -> None:
    """Measure and write."""
    named = os.environ.get("MIDGE_ASSETS")
    if not named:
        sys.exit("set MIDGE_ASSETS to the folder of the assets")
    imported = import_model(EXAMPLE.with_suffix(".tflite"))
    data = load_data(EXAMPLE.with_suffix(".npz"), imported.graph)
    boards = sys.argv[1:] or list_boards()
    found = {"digits (example)": fit_boards(imported, Settings(), boards, data)}
    for name, model in MODELS.items():
        print(name, file=sys.stderr)
        path = Path(named) / "models" / f"{model}.tflite"
        found[name] = fit_boards(import_model(path), Settings(precision="as-is"), boards, None)
    before = json.loads(FILE.read_text(encoding="utf-8")) if sys.argv[1:] else {}
    table = {name: {**before.get(name, {}), **{f.board.name: row(f) for f in fits}} for name, fits in found.items()}
    lines = [f"{json.dumps(name)}: {{\n{_lines(boards)}\n}}" for name, boards in table.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _lines(boards: dict[str, dict[str, object]]) -> str:
    """One board a line, in the order of their names."""
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(boards[name])}" for name in sorted(boards))


def row(fit: BoardFit) -> dict[str, object]:
    """What the page needs to know of one board."""
    return {
        "fits": fit.fits,
        "sizes": "linked" if fit.sizes == "linked" else "estimated",
        "flash_bytes": fit.flash_bytes,
        "ram_bytes": fit.ram_bytes,
        "goal": fit.advice.split()[1].rstrip(":") if fit.advice.startswith("--optimize ") else "",
    }


if __name__ == "__main__":
    main()
