"""The section of docs/benchmarks.md on AVR boards: exact cycles in simavr, bare libraries beside the peers' programs.

    python benchmarks/avr.py            measures, rewrites avr.json and docs/benchmarks.md
    python benchmarks/avr.py --dry      prints only

Needs the assets (MIDGE_ASSETS), avr-gcc and simavr. Every output value is compared with goldens, or with the
interpreter where there are none; a difference ends it with an error.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tables import table

from midge.boards import load_board
from midge.build.toolchain import find_toolchain
from midge.data import Case, draw_inputs, load_data, load_golden_sequences
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.agreement import NOTHING_COMPARED, agreement
from midge.pipeline import Compiled, compile_model
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.settings import Goal, Settings

HERE = Path(__file__).resolve().parent
RECORD = HERE / "avr.json"
SAMPLES = 5
GOALS: tuple[Goal, ...] = ("speed", "size")
# All of a program that does nothing but run the model once: start-up, the library, its constants.
_BARE = ("-std=gnu11", "-Os", "-Wall", "-Wextra", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
_HEAD = """## AVR: Arduino Uno and Mega

Cycles of one inference, counted by simavr, which is cycle-accurate; {compiler}. Flash and RAM are
those of a program that does nothing but run the model, start-up included, beside the test programs of the peers. All of
midge's outputs are exact ({mismatches} of {values} values differ). An activation that is zero costs next to nothing,
so cycles depend on the sample: the median of five real ones, and the most that one of five took whose values were
drawn evenly.

"""


def measure(stem: Path, board: str, goal: Goal, data: Path | None) -> dict[str, Any]:
    """The figures of one model; cycles are the median of real samples, and the most that a drawn one took.

    Raises MidgeError where the model cannot be compiled, built or run.
    """
    imported = import_model(stem.with_suffix(".tflite"))
    compiled = compile_model(imported, Settings(board=board, precision="as-is", optimize=goal))
    total, results = NOTHING_COMPARED, []
    with tempfile.TemporaryDirectory(prefix="midge-bench-") as folder:
        with emulated_device(compiled, Path(folder) / "firmware") as device:
            for inputs, outputs in [*real_cases(stem, imported.graph, data), *drawn_cases(compiled.graph)]:
                results.append(device.infer(inputs))
                total = total.plus(agreement(results[-1].outputs, outputs))
            compiler = device.image.version
        flash, ram = bare_bytes(compiled, Path(folder))
    typical = sorted(results[:SAMPLES], key=lambda r: r.cycles)[SAMPLES // 2]
    return {
        "board": board,
        "model": stem.name,
        "optimize": goal,
        "compiler": compiler,
        "cycles": typical.cycles,
        "drawn_cycles": max(result.cycles for result in results[SAMPLES:]),
        "macs": imported.graph.macs,
        "flash_bytes": flash,
        "ram_bytes": ram,
        "mismatches": total.mismatches,
        "values": total.values,
        "layers": [
            {"kernel": f"{call.op} / {call.variant}", "macs": call.macs, "cycles": cycles}
            for call, cycles in zip(compiled.program.calls, typical.layer_ticks, strict=True)
        ],
    }


def real_cases(stem: Path, graph: Graph, data: Path | None) -> list[Case]:
    """Samples as the network is used: of a data file, else the goldens that are no drawn ones."""
    if data is None:
        return load_golden_sequences(stem.with_suffix(".npz"), graph)[-1][:SAMPLES]
    dataset = load_data(data, graph)
    chosen = dataset.inputs_for(graph.input_tensors[0], dataset.evaluate[:SAMPLES])
    return _interpreted(graph, [[sample] for sample in chosen])


def drawn_cases(graph: Graph) -> list[Case]:
    """Samples of every value alike: few zeros, so that they take about as long as any."""
    return _interpreted(graph, draw_inputs(graph, SAMPLES, seed=0))


def _interpreted(graph: Graph, samples: Sequence[list[Array]]) -> list[Case]:
    return [(inputs, list(Interpreter(graph).infer(inputs).outputs)) for inputs in samples]


def bare_bytes(compiled: Compiled, folder: Path) -> tuple[int, int]:
    """Flash and static RAM of the library with an empty main."""
    for name, text in compiled.sources.items():
        (folder / name).write_text(text)
    main = f'#include "model.h"\nint main(void) {{ {compiled.program.prefix}_run(); for (;;) {{ }} }}\n'
    (folder / "main.c").write_text(main)
    command = find_toolchain(compiled.board.core).command
    mcu = f"-mmcu={compiled.board.core.name}"
    files = ["main.c", "model.c", "weights.c", "-o", "bare.elf"]
    subprocess.run([*command, mcu, *_BARE, *files], cwd=folder, check=True, timeout=120)
    size = Path(command[0]).name.replace("gcc", "size")
    said = subprocess.run([size, "bare.elf"], cwd=folder, check=True, capture_output=True, text=True, timeout=60).stdout
    text, data, bss = map(int, said.splitlines()[1].split()[:3])
    return text + data, data + bss


def avr_section(rows: Sequence[dict[str, Any]], peers: dict[str, Any]) -> str:
    """The section: a table for each network, its peers below."""
    head = _HEAD.format(
        compiler="; ".join(sorted({row["compiler"] for row in rows})),
        mismatches=sum(row["mismatches"] for row in rows),
        values=sum(row["values"] for row in rows),
    )
    heads = ["", "cycles", "per MAC", "drawn inputs", "fastest peer / midge", "flash", "RAM"]
    lines = []
    for name, net in peers["avr"].items():
        fastest = min(peer["cycles"] for peer in net["peers"])
        for row in (row for row in rows if row["model"] == name):
            per_mac, ratio = row["cycles"] / row["macs"], fastest / row["cycles"]
            title = f"**{net['title']}**, {row['board']}, {row['optimize']}"
            flash, ram = f"{row['flash_bytes']:,}", f"{row['ram_bytes']:,}"
            drawn = f"{row['drawn_cycles']:,}"
            lines.append([title, f"**{row['cycles']:,}**", f"{per_mac:.1f}", drawn, f"{ratio:.1f}", flash, ram])
        for peer in net["peers"]:
            figures = [f"{peer['cycles']:,}", f"{peer['cycles'] / net['macs']:.0f}", "", ""]
            lines.append([peer["name"], *figures, f"{peer['flash_bytes']:,}", f"{peer['ram_bytes']:,}"])
    separator = ",\n  "
    kernels = "".join(
        f"- {peers['avr'][row['model']]['title']}, {row['optimize']}:\n  {separator.join(map(_layer, row['layers']))}\n"
        for row in rows
    )
    return head + table(heads, lines) + "\nKernels, layer by layer, requantization included:\n\n" + kernels


def _layer(layer: dict[str, Any]) -> str:
    per_mac = f", {layer['cycles'] / layer['macs']:.1f} per MAC" if layer["macs"] else ""
    return f"{layer['kernel']}: {layer['cycles']:,} cycles{per_mac}"


def recorded() -> list[dict[str, Any]]:
    """The rows that were measured last."""
    return cast(list[dict[str, Any]], json.loads(RECORD.read_text(encoding="utf-8")))


def main() -> None:
    """Measure, print, and write unless told not to."""
    from document import document  # which prints this module's section

    parser = argparse.ArgumentParser(description="Measure small networks on AVR boards.")
    parser.add_argument("--dry", action="store_true", help="print only")
    is_dry = parser.parse_args().dry
    peers = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
    assets = Path(os.environ.get("MIDGE_ASSETS", ""))
    if not (assets / "models" / "models.json").is_file():
        raise SystemExit("the benchmark needs the assets: set MIDGE_ASSETS to their folder")
    rows = []
    for net in peers["avr"].values():
        stem = HERE.parent / net["example"] if "example" in net else assets / net["file"]
        for goal in GOALS:
            data = HERE.parent / net["data"] if "data" in net else None
            rows.append(measure(stem, load_board(net["board"]).name, goal, data))
            print(json.dumps(rows[-1]), flush=True)
    if any(row["mismatches"] for row in rows):
        raise SystemExit("outputs differ")
    if not is_dry:
        RECORD.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        results = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
        page = HERE.parent / "docs" / "benchmarks.md"
        page.write_text(document(results, peers), encoding="utf-8")
        print(f"wrote {page.name} and {RECORD.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
