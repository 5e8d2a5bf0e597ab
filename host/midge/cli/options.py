"""Flags that several commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from midge.cli.talk import talk
from midge.data import Dataset, load_data
from midge.errors import SettingsError
from midge.ir.graph import Graph
from midge.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

MODEL = click.argument("model", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")


def compile_options(function: F) -> F:
    """The flags that decide what is compiled."""
    for option in reversed(_COMPILE):
        function = option(function)
    return function


_COMPILE = (
    click.option("--board", required=True, help="A board's name (see `midge boards`), or the path of a .toml file."),
    click.option(
        "--precision",
        type=click.Choice(["int8", "float", "as-is"]),
        default="int8",
        show_default=True,
        help="What is deployed. A float model becomes int8 with --data to calibrate on.",
    ),
    click.option(
        "--ranges",
        type=click.Choice(["minmax", "percentile", "mse"]),
        default=Settings.ranges,
        show_default=True,
        help="How calibration finds the range of an activation.",
    ),
    click.option("--float-io", is_flag=True, help="Keep float inputs and outputs around an int8 network."),
    click.option(
        "--optimize", type=click.Choice(["speed", "size"]), default="speed", show_default=True, help="What to favor."
    ),
    click.option("--kernel", "kernels", multiple=True, metavar="OP=VARIANT", help="Prefer a kernel variant."),
)


def settings_from(options: dict[str, Any]) -> Settings:
    """The settings that the shared flags make."""
    kernels = dict(_pair(text) for text in options.pop("kernels"))
    return Settings(**options, kernels=kernels)


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
