"""`midge share`: layers of equal shape compute with one set of weights."""

from __future__ import annotations

from typing import Any

import click

from midge.cli.compressing import LAYERS, compress_file, compress_options, files_from
from midge.compress.steps import Share


@click.command()
@compress_options
@LAYERS
def command(layers: tuple[str, ...], **options: Any) -> None:
    """Let layers of equal shape compute with one set of weights, which flash holds once.

    The layers named by --layer, or all that are alike. They seldom are without training: `midge train` is to follow.
    """
    compress_file(files_from(options), [Share(layers=layers)])
