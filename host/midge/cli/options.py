"""Flags that several commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from midge.cli.talk import talk
from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.importers import Imported, import_model
from midge.ir.graph import Graph
from midge.ir.tensor import Shape
from midge.settings import Goal, Precision, Ranges, Settings, Spoken, load_settings

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.argument("model", type=click.Path(path_type=Path))
INPUT_SHAPES = click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    metavar="NAME=1x7x5",
    help="The shape of an input whose dimensions an ONNX file leaves open.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


RAW = (
    click.option(
        "--raw-input",
        type=click.Choice(["uint8", "int16"]),
        help="Firmware passes pixels or samples of 16 bits as they are.",
    ),
    click.option("--input-mean", metavar="N[,N...]", help="What was taken off them in training.  [default: 0]"),
    click.option("--input-std", metavar="N[,N...]", help="What they were divided by then.  [default: 1]"),
)

PROTOCOL = click.option(
    "--protocol",
    type=click.Choice(get_args(Spoken)),
    help="What the firmware speaks: midge's own, or that of MLPerf Tiny's runner.  [default: midge]",
)


def compile_options(function: F) -> F:
    """The flags that decide what is compiled."""
    return _with_options(function, Settings.board)


def compile_options_of_any_board(function: F) -> F:
    """The same, for a command that looks at every board when it is told none."""
    return _with_options(function, "all")


def _with_options(function: F, board: str) -> F:
    named = click.option("--board", help=f"A board's name (see `midge boards`) or .toml file.  [default: {board}]")
    for option in reversed((named, *_COMPILE)):
        function = option(function)
    return function


_COMPILE = (
    click.option(
        "--precision",
        type=click.Choice(get_args(Precision)),
        help="What is deployed; a float model becomes int8 with --data to calibrate on.  [default: int8]",
    ),
    click.option(
        "--ranges",
        type=click.Choice(get_args(Ranges)),
        help=f"How calibration finds the range of an activation.  [default: {Settings.ranges}]",
    ),
    click.option("--float-io", is_flag=True, default=None, help="Float inputs and outputs around an int8 network."),
    *RAW,
    click.option("--optimize", type=click.Choice(get_args(Goal)), help="What to favor.  [default: speed]"),
    click.option("--kernel", "kernels", multiple=True, metavar="OP=VARIANT", help="Prefer a kernel variant."),
    INPUT_SHAPES,
    click.option("--no-tuning", is_flag=True, help="Ignore what `midge tune` has measured on this computer."),
    click.option(
        "--settings",
        "settings_file",
        type=click.Path(path_type=Path),
        help="A midge.toml with any setting by its name; flags come before it.",
    ),
)


def settings_from(options: dict[str, Any]) -> Settings:
    """The settings that the file and the flags make."""
    file = options.pop("settings_file")
    base = Settings() if file is None else load_settings(file)
    kernels = dict(_pair(text) for text in options.pop("kernels"))
    given = {name: value for name, value in options.items() if value is not None} | raw_settings(options)
    return replace(base, **given, kernels={**base.kernels, **kernels})


def raw_settings(options: Mapping[str, Any]) -> dict[str, list[float]]:
    """The numbers of --input-mean and --input-std, where they were given. Raises SettingsError for what is none."""
    found = {}
    for name in ("input_mean", "input_std"):
        if (text := options.get(name)) is not None:
            try:
                found[name] = [float(part) for part in text.split(",")]
            except ValueError as problem:
                flag = f"--{name.replace('_', '-')}"
                raise SettingsError(
                    f"{flag} {text}: not numbers with commas", hint=f"{flag} 123.7,116.3,103.5"
                ) from problem
    return found


def _pair(text: str) -> tuple[str, str]:
    op, equals, variant = text.partition("=")
    if not (op and equals and variant):
        raise SettingsError(f"--kernel {text}: not of the form OP=VARIANT", hint="for example conv2d=portable")
    return op, variant


def import_named(model: Path, input_shapes: Sequence[str]) -> Imported:
    """The model file, its open dimensions as --input-shape says. Raises what import_model does, and SettingsError."""
    return import_model(model, named_shapes(input_shapes))


def named_shapes(input_shapes: Sequence[str]) -> dict[str, Shape]:
    """What --input-shape says, by input. Raises SettingsError for what is not of its form."""
    shapes: dict[str, Shape] = {}
    for text in input_shapes:
        name, _, sizes = text.rpartition("=")
        try:
            shapes[name] = tuple(int(size) for size in sizes.split("x"))
        except ValueError as problem:
            raise SettingsError(f"--input-shape {text}: not of the form NAME=SIZExSIZE", hint="x=1x7x5") from problem
    return shapes


def load_dataset(path: Path | None, graph: Graph) -> Dataset | None:
    """The data file, when one was named; says on stderr what was converted."""
    if path is None:
        return None
    data = load_data(path, graph)
    for note in data.notes:
        talk(f"{path.name}: {note}")
    return data
