"""What the commands that train have in common: their flags, and what came of each epoch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.table import Table

from midge.boards import load_board
from midge.cli.compressing import Files, compress_options, gained_on_board, writable
from midge.cli.files import write_file
from midge.cli.options import load_dataset
from midge.cli.talk import out, talk
from midge.data import Dataset
from midge.errors import SettingsError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings

if TYPE_CHECKING:
    from midge.train import Trained

F = TypeVar("F", bound=Callable[..., Any])

WIDTHS = ("int8", "int4", "int2", "ternary", "binary")

_OPTIONS = (
    click.option("--qat", type=click.Choice(WIDTHS), help="Train as it will be deployed, with weights of that width."),
    click.option(
        "--layer-width", "layers", multiple=True, metavar="NAME=WIDTH", help="Another width for a layer, with --qat."
    ),
    click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Times over the data."),
    click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=1e-3, show_default=True),
    click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True, help="Samples at a time."),
    click.option(
        "--patience", type=click.IntRange(min=1), default=10, show_default=True, help="Epochs without gain to the end."
    ),
    click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam", show_default=True),
    click.option("--weight-decay", type=click.FloatRange(min=0), default=0.0, show_default=True),
    click.option("--checkpoint", metavar="FILE", help="Written after each epoch, and gone on from after a kill."),
    click.option(
        "--free-structure", is_flag=True, help="Zeros, and equal values of clustered weights, need not stay so."
    ),
)


def training_options(function: F) -> F:
    """The flags of every command that trains."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return compress_options(function)


def step_options(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of Train that the flags are; `layers` are left."""
    options["keep_structure"] = not options.pop("free_structure")
    return options


def layer_widths(texts: tuple[str, ...]) -> dict[str, Any]:
    """What --layer-width says, by layer. Raises SettingsError for what is not of its form."""
    pairs = [text.rpartition("=") for text in texts]
    for text, (name, _, width) in zip(texts, pairs, strict=True):
        if not name or width not in WIDTHS:
            raise SettingsError(
                f"--layer-width {text}: not of the form NAME=WIDTH", hint=f"conv_1=int8; widths: {', '.join(WIDTHS)}"
            )
    return {name: width for name, _, width in pairs}


def to_train(files: Files, layers: dict[str, Any]) -> tuple[Graph, Dataset, Settings]:
    """The network and its data, and settings with the widths of `layers`. Raises SettingsError without data."""
    settings = Settings(board=files.board, optimize=files.optimize, layers=layers, seed=files.seed)
    load_board(settings.board)
    graph = writable(run_passes(import_model(files.model).graph, CANONICALIZE), settings)
    data = load_dataset(files.data, graph)
    if data is None:
        raise SettingsError("training needs data", hint="--data FILE.npz with x, y and split")
    return graph, data, settings


def write_trained(files: Files, start: Graph, data: Dataset, settings: Settings, trained: Trained) -> None:
    """The .tflite, and on stdout what each epoch brought; what is gained on the board is said."""
    write_file(files.output, export_tflite(trained.graph))
    if (gained := gained_on_board(start, trained.graph, settings, data)) is not None:
        talk(gained.sentence)
    history = trained.history
    if files.as_json:
        epochs = [{"loss": e.loss, "watched_loss": e.watched_loss, "accuracy": e.accuracy} for e in history.epochs]
        print(json.dumps({"best_epoch": history.best, "epochs": epochs, "seed": files.seed}, indent=2))
    else:
        out().print(_table(trained))
    talk(f"wrote {files.output}: every midge command takes it, and so does TensorFlow Lite")


def _table(trained: Trained) -> Table:
    table = Table(title="watched on samples that were not trained on", title_justify="left")
    for name in ("epoch", "loss", "watched loss", "right %"):
        table.add_column(name, justify="right")
    table.add_column("")
    for number, epoch in enumerate(trained.history.epochs):
        percent = "" if epoch.accuracy is None else f"{100 * epoch.accuracy:.2f}"
        loss = "" if number == 0 else f"{epoch.loss:.4f}"
        verdict = "kept" if number == trained.history.best else "before training" if number == 0 else ""
        table.add_row(str(number), loss, f"{epoch.watched_loss:.4f}", percent, verdict)
    return table
