"""The figures of README.md: its table from results.json and peers.toml, its report from the demo itself.

    python benchmarks/readme.py           rewrites the table
    python benchmarks/readme.py --demo    and what `make demo` prints, by running that

`make bench` does the first. What is between the marks in README.md is made here; do not edit it there.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tables import table

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
DEMO = "midge run examples/digits/digits.tflite --board nucleo_l4r5zi --emulate --data examples/digits/digits.npz"
_CORE = "cortex-m4f"
_PEER = "TFLM 90b983c2 + CMSIS-NN 99f736a6, -O3"
# The five networks of MLPerf Tiny, by what they are for.
_TASKS = {
    "ad01_int8": "anomaly detection",
    "kws_dscnn_int8": "keywords",
    "ic_resnet8_int8": "images",
    "vww96_int8": "visual wake words",
    "sww_ref_int8": "wake word",
}


def performance(results: dict[str, Any], peers: dict[str, Any]) -> str:
    """The sentence and the table of how fast and how small."""
    rows = {r["model"]: r for r in results["rows"] if r["core"] == _CORE and r["optimize"] == "speed"}
    ours = [rows[model] for model in _TASKS]
    theirs = next(peer["cycles"] for peer in peers["peers"] if (peer["core"], peer["name"]) == (_CORE, _PEER))
    compilers, bases = ({row[key] for row in ours} for key in ("compiler", "basis"))
    lines = [
        ["midge, cycles", *(f"{row['cycles']:,}" for row in ours)],
        ["TFLM + CMSIS-NN, cycles", *(f"{theirs[model]:,}" for model in _TASKS)],
        ["midge, arena bytes", *(f"{row['arena_bytes']:,}" for row in ours)],
        ["TFLM, arena bytes", *(f"{peers['tflm_memory']['ram_bytes'][model]:,}" for model in _TASKS)],
    ]
    return (
        "One inference of the MLPerf Tiny int8 networks on a Cortex-M4F without wait states, every output byte equal\n"
        "to TensorFlow Lite's reference kernels. Cycles are modelled"
        f" ({'; '.join(sorted(bases)).removeprefix('model, ')});\ncompiler: {'; '.join(sorted(compilers))}, -O3.\n\n"
        + table(["", *_TASKS.values()], lines)
    )


def demo() -> str:
    """What the demo prints, with the command above it."""
    command = [sys.executable, "-c", "from midge.cli import main; main()", *shlex.split(DEMO)[1:]]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=True)
    return f"```\n$ {DEMO}\n{done.stdout.rstrip()}\n```\n"


def replaced(readme: str, mark: str, content: str) -> str:
    """The page with `content` between `mark`'s two comments."""
    head, begin, rest = readme.partition(f"<!-- {mark}: made by benchmarks/readme.py -->\n")
    _, end, tail = rest.partition(f"<!-- end of {mark} -->\n")
    if not (begin and end):
        raise SystemExit(f"README.md has no marks of {mark}")
    return head + begin + content + end + tail


def write_table(results: dict[str, Any], peers: dict[str, Any]) -> None:
    """Rewrites the table in README.md."""
    readme = README.read_text(encoding="utf-8")
    README.write_text(replaced(readme, "performance", performance(results, peers)), encoding="utf-8")


def main() -> None:
    """The table, and with --demo the report too."""
    parser = argparse.ArgumentParser(description="Write the figures of README.md.")
    parser.add_argument("--demo", action="store_true", help="run the demo and write what it prints, too")
    wanted = parser.parse_args()
    results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    write_table(results, tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8")))
    if wanted.demo:
        README.write_text(replaced(README.read_text(encoding="utf-8"), "demo", demo()), encoding="utf-8")


if __name__ == "__main__":
    main()
