"""`midge train`: a network's weights are trained further, in float or as they will be deployed."""

from __future__ import annotations

from typing import Any

import click

from midge.cli.compressing import files_from
from midge.cli.talk import show_progress
from midge.cli.training import layer_widths, step_options, to_train, training_options, write_trained
from midge.compress.steps import Train


@click.command()
@training_options
def command(**options: Any) -> None:
    """Train a network further: on split 1 of the data, watched on split 2; split 0 is never looked at.

    With --qat it becomes integers whose rounding is trained too; zeros stay zeros, clusters stay clusters.
    """
    files, layers = files_from(options), layer_widths(options.pop("layers"))
    step = Train(**step_options(options))
    from midge.train import fine_tune

    graph, data, settings = to_train(files, layers)
    write_trained(files, graph, data, settings, fine_tune(graph, data, step, settings, progress=show_progress))
