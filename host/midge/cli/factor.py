"""`midge factor`: layers become products of smaller ones."""

from __future__ import annotations

from typing import Any, get_args

import click

from midge.cli.compressing import LAYERS, compress_file, compress_options, files_from
from midge.compress.steps import FactorForm, step_from_table


@click.command()
@compress_options
@click.option(
    "--form",
    type=click.Choice(get_args(FactorForm)),
    default="auto",
    show_default=True,
    help="svd: two layers; spatial: columns, then rows of the window; tucker: 1x1, window, 1x1; auto: the cheapest.",
)
@click.option("--rank", type=int, help="The rank of each layer, in place of --energy.")
@click.option("--energy", type=float, default=0.95, show_default=True, help="The part of the squares that is kept.")
@click.option("--measured", is_flag=True, help="Measure chains on the emulated core: seconds each.")
@LAYERS
def command(**options: Any) -> None:
    """Write layers of a float model as products of smaller ones, where that is cheaper.

    With --data the squares are those of the layers' outputs, else of their weights. A layer stays as it is where the
    products would cost more than they save.
    """
    files = files_from(options)
    compress_file(files, [step_from_table({"technique": "factor", **options})])
