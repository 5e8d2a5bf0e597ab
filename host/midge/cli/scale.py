"""`midge scale`: a narrower, shallower network of the same build, to be trained."""

from __future__ import annotations

from typing import Any

import click

from midge.cli.compressing import compress_file, compress_options, files_from
from midge.compress.steps import step_from_table


@click.command()
@compress_options
@click.option(
    "--width", type=float, default=1.0, show_default=True, help="The part of each layer's filters that stays."
)
@click.option("--depth", type=float, default=1.0, show_default=True, help="The part of the units that stays.")
def command(**options: Any) -> None:
    """Make a student: the important filters of each layer, fewer units (residual blocks, depthwise and pointwise).

    With --data those units go whose absence changes the outputs least. The student is to be trained: `midge distil`.
    """
    files = files_from(options)
    compress_file(files, [step_from_table({"technique": "scale", **options})])
