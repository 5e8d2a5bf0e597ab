"""`midge distil`: a student learns what a teacher says of every sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from midge.cli.compressing import files_from
from midge.cli.talk import show_progress
from midge.cli.training import layer_widths, step_options, to_train, training_options, write_trained
from midge.compress.steps import Distil
from midge.errors import SettingsError
from midge.importers import import_model
from midge.passes import CANONICALIZE, run_passes


@click.command()
@training_options
@click.option("--teacher", required=True, metavar="MODEL", help="The network to learn from, of any format.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    help="Softens answers.",
)
@click.option(
    "--weight",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.7,
    show_default=True,
    help="The teacher's part of the loss; the rest is the labels'.",
)
@click.option("--feature", "features", multiple=True, metavar="LAYER=LAYER", help="A student's layer and a teacher's.")
@click.option("--inherit", is_flag=True, help="Start from the weightiest part of the teacher's parameters.")
def command(**options: Any) -> None:
    """Train MODEL, the student, to answer as a teacher does: on split 1, watched on split 2, split 0 not looked at."""
    files, layers = files_from(options), layer_widths(options.pop("layers"))
    options["features"] = tuple(_pair(text) for text in options["features"])
    step = Distil(**step_options(options))
    from midge.train.distil import distil

    teacher = run_passes(import_model(Path(options["teacher"])).graph, CANONICALIZE)
    graph, data, settings = to_train(files, layers)
    write_trained(files, graph, data, settings, distil(graph, teacher, data, step, settings, progress=show_progress))


def _pair(text: str) -> tuple[str, str]:
    mine, equals, theirs = text.partition("=")
    if not (mine and equals and theirs):
        raise SettingsError(
            f"--feature {text}: not of the form LAYER=LAYER", hint="a student's layer, then a teacher's"
        )
    return mine, theirs
