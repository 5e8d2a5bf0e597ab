"""`midge cluster`: few distinct weights in each layer."""

from __future__ import annotations

from typing import Any

import click

from midge.cli.compressing import LAYERS, compress_file, compress_options, files_from
from midge.compress.steps import Cluster


@click.command()
@compress_options
@click.option(
    "--values",
    type=click.IntRange(2, 64),
    default=Cluster().values,
    show_default=True,
    help="The most that the weights of a layer may take; 4 and 16 fill 2 and 4 bits.",
)
@LAYERS
def command(values: int, layers: tuple[str, ...], **options: Any) -> None:
    """Give the weights of each layer few distinct values, found by k-means; zeros stay zeros.

    With --data errors count by what reaches each weight. Works on float models, which still have at most so many
    integers once they are int8, and on int8 ones.
    """
    compress_file(files_from(options), [Cluster(values=values, layers=layers)])
