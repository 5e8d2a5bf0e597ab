"""`midge tune`: measure the kernels that a model could use; compile and run remember the fastest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from midge.build.toolchain import find_toolchain
from midge.cli.compiling import compile_from
from midge.cli.options import JSON, MODEL, compile_options
from midge.cli.talk import out, show_progress, talk
from midge.kernels.timings import signature
from midge.kernels.variant import Layer
from midge.pipeline import Compiled
from midge.report.facts import compiler_words
from midge.tune.memory import remember
from midge.tune.tuner import tune


@click.command()
@MODEL
@compile_options
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz to calibrate a float model on.")
@JSON
def command(model: Path, data_path: Path | None, as_json: bool, **options: Any) -> None:
    """Measure each kernel variant of a model's layers on the emulated core."""
    compiled, _ = compile_from(model, data_path, options, to_emulate=True)
    measured = tune(compiled, show_progress)
    toolchain, counts = find_toolchain(compiled.board.core), compiled.board.twin.timing.kind
    path = remember(compiled.board.core, toolchain, measured)
    compiler = compiler_words(toolchain.name, toolchain.version)
    if as_json:
        facts = {"core": compiled.board.core.name, "compiler": compiler, "counts": counts, "layers": measured}
        print(json.dumps(facts, indent=2))
        return
    table = Table("layers", "operator", "kernel", box=None, pad_edge=False)
    table.add_column(counts, justify="right")
    layers = _layers_by_signature(compiled)
    for key, cycles in measured.items():
        heading = (", ".join(layer.op.name for layer in layers[key]), layers[key][0].op.kind)
        for name, count in sorted(cycles.items(), key=lambda item: item[1]):
            table.add_row(*heading, name, f"{count:,}")
            heading = ("", "")
    console = out()
    console.print(f"each layer alone on {compiled.board.core.name}, {compiler}, on drawn inputs")
    console.print(table)
    talk(f"remembered in {path}; --no-tuning of compile and run ignores it")


def _layers_by_signature(compiled: Compiled) -> dict[str, list[Layer]]:
    """The layers that cost the same, under what they have in common."""
    layers: dict[str, list[Layer]] = {}
    for layer, _ in compiled.selection.layers():
        layers.setdefault(signature(layer), []).append(layer)
    return layers
