"""`midge prune`: weights become zero in patterns that kernels skip, or filters and blocks go."""

from __future__ import annotations

from typing import Any, get_args

import click

from midge.cli.compressing import LAYERS, compress_file, compress_options, files_from
from midge.compress.patterns import ratio_sparsity
from midge.compress.steps import Criterion, Granularity, step_from_table
from midge.errors import SettingsError


@click.command()
@compress_options
@click.option(
    "--granularity",
    type=click.Choice(get_args(Granularity)),
    default="fine",
    show_default=True,
    help="What goes together: single weights, vectors, N of M, kernels, filters, blocks.",
)
@click.option(
    "--criterion",
    type=click.Choice(get_args(Criterion)),
    default="magnitude",
    show_default=True,
    help="What goes first. All but magnitude look at split 1 of the data.",
)
@click.option("--sparsity", type=float, help="The part that goes, 0 to 1; of filters and blocks, of the MACs.")
@LAYERS
@click.option("--rounds", type=int, default=1, show_default=True, help="So many times a part, each judged anew.")
@click.option("--even", is_flag=True, help="Every layer loses the same part, but those of few inputs.")
@click.option("--reconstruct", is_flag=True, help="Fit what remains to the outputs of each layer by least squares.")
def command(**options: Any) -> None:
    """Prune a float or int8 model.

    N:M (1:4, 2:4, 1:8) is a sparsity of its own; of all else --sparsity says how much goes. Zeros are found by the
    compiler, and pay where the board has a kernel for their pattern. Filters go by the cycles that the kernels of
    --board say they take.
    """
    files = files_from(options)
    if options["sparsity"] is None:
        options["sparsity"] = ratio_sparsity(options["granularity"])
    if options["sparsity"] is None:
        ratios = [name for name in get_args(Granularity) if ratio_sparsity(name) is not None]
        raise SettingsError(
            f"how much is to go of {options['granularity']}?",
            hint=f"--sparsity 0.5, or a granularity that says it: {', '.join(ratios)}",
        )
    compress_file(files, [step_from_table({"technique": "prune", **options})])
