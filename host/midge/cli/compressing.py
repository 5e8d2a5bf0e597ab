"""What the commands that compress have in common: a model in, steps, a .tflite out, and what became of it in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import numpy as np

from midge.boards import load_board
from midge.cli.files import NewFile, write_file
from midge.cli.options import JSON, MODEL, load_dataset
from midge.cli.talk import out, show_progress, talk
from midge.compress.apply import compress
from midge.compress.steps import AnyStep
from midge.data import Dataset
from midge.errors import MidgeError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.ops.quantize import Quantize
from midge.passes import CANONICALIZE, run_passes
from midge.quantize import quantize_model
from midge.settings import Goal, Settings
from midge.tune.gain import Gain, gain

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Files:
    """Where a command reads and writes, and what it must pay on: the `board`, with kernels that `optimize` favors.

    `seed`: of whatever is drawn.
    """

    model: Path
    data: Path | None
    output: Path
    board: str
    optimize: Goal
    seed: int
    as_json: bool


_OPTIONS = (
    MODEL,
    click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz with x, y and split."),
    click.option("-o", "--output", required=True, type=NewFile(), help="The .tflite to write."),
    click.option("--board", default=Settings.board, show_default=True, help="Where the gain is measured, emulated."),
    click.option(
        "--optimize",
        type=click.Choice(get_args(Goal)),
        default=Settings.optimize,
        show_default=True,
        help="What the kernels that it is measured with favor.",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of whatever is drawn."),
    JSON,
)

LAYERS = click.option("--layer", "layers", multiple=True, metavar="NAME", help="A layer to work on.  [default: all]")


def compress_options(function: F) -> F:
    """The flags that every such command has: see Files."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def files_from(options: dict[str, Any]) -> Files:
    """Takes the flags of compress_options out of `options`; what is left is the step's."""
    names = ("model", "data_path", "output", "board", "optimize", "seed", "as_json")
    return Files(*(options.pop(name) for name in names))


def compress_file(files: Files, steps: Sequence[AnyStep]) -> None:
    """Do the steps and write the result. Raises MidgeError as midge.compress.apply.compress."""
    settings = replace(Settings(), board=files.board, optimize=files.optimize, seed=files.seed)
    graph = writable(run_passes(import_model(files.model).graph, CANONICALIZE), settings)
    data = load_dataset(files.data, graph) if files.data is not None else None
    load_board(settings.board)
    made = compress(graph, steps, data, settings, show_progress)
    write_file(files.output, export_tflite(made))
    facts = {"before": _facts(graph), "after": _facts(made)}
    gained = gained_on_board(graph, made, settings, data)
    if gained is not None:
        facts = {name: facts[name] | asdict(getattr(gained, name)) for name in facts}
        talk(gained.sentence)
    if files.as_json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts["after"].items():
            out().print(f"{name.replace('_', ' '):18}{value:>12,}  of {facts['before'][name]:,}")
    talk(f"wrote {files.output}: every midge command takes it, and so does TensorFlow Lite")


def writable(graph: Graph, settings: Settings) -> Graph:
    """As TensorFlow Lite can say it: float layers between quantized values (ONNX's) are integer ones, and where floats
    are quantized halves go from zero."""
    if graph.is_float:
        return graph
    graph = quantize_model(graph, settings)
    return graph.with_ops([replace(op, ties_to_even=False) if isinstance(op, Quantize) else op for op in graph.ops])


def gained_on_board(before: Graph, after: Graph, settings: Settings, data: Dataset | None) -> Gain | None:
    """What is gained on the board; None where it cannot be measured, which is said."""
    try:
        return gain(before, after, settings, data)
    except MidgeError as problem:
        talk(f"note: what is gained on {settings.board} was not measured: {problem.message}")
        return None


def _facts(graph: Graph) -> dict[str, int]:
    tensors = (graph.tensors[op.inputs[index]] for op in graph.ops for index in op.weight_axis)
    weights = [t.data for t in tensors if t.data is not None]
    return {
        "layers": len(graph.ops),
        "macs": graph.macs,
        "weights": sum(w.size for w in weights),
        "weights_not_zero": sum(int(np.count_nonzero(w)) for w in weights),
    }
