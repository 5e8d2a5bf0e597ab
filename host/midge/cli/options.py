"""Flags that several commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from midge.cli.talk import talk
from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.settings import Goal, Precision, Ranges, Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.argument("model", type=click.Path(path_type=Path))
SHAPES = click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=1,28,28",
    help="The shape of an input that the file leaves open; once for each such input.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


def compile_options(function: F) -> F:
    """The flags that decide what is compiled."""
    for option in reversed(_COMPILE):
        function = option(function)
    return function


_COMPILE = (
    SHAPES,
    click.option("--board", help=f"A board's name (see `midge boards`) or .toml file.  [default: {Settings.board}]"),
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
    click.option("--optimize", type=click.Choice(get_args(Goal)), help="What to favor.  [default: speed]"),
    click.option("--kernel", "kernels", multiple=True, metavar="OP=VARIANT", help="Prefer a kernel variant."),
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
    given = {name: value for name, value in options.items() if value is not None}
    return replace(base, **given, kernels={**base.kernels, **kernels})


def _pair(text: str) -> tuple[str, str]:
    op, equals, variant = text.partition("=")
    if not (op and equals and variant):
        raise SettingsError(f"--kernel {text}: not of the form OP=VARIANT", hint="for example conv2d=portable")
    return op, variant


def load_dataset(path: Path | None, graph: Graph) -> Dataset | None:
    """The data file, when one was named; says on stderr what was converted."""
    if path is None:
        return None
    data = load_data(path, graph)
    for note in data.notes:
        talk(f"{path.name}: {note}")
    return data
