"""`midge verify`: does it compute what the model computes?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click

from midge.cli.options import INPUT_SHAPES, JSON, MODEL, import_named
from midge.cli.talk import out, show_progress, talk
from midge.errors import CheckFailedError, SettingsError
from midge.settings import Goal, Settings
from midge.verification import BOARD, PLACES, verify_model


@click.command()
@MODEL
@click.option("--golden", type=click.Path(path_type=Path), help=".npz of inputs and outputs to compare with.")
@click.option(
    "--on", "place", type=click.Choice(PLACES), default="interpreter", show_default=True, help="Where to run."
)
@click.option("--port", help="Run on the board itself: its port's path, socket://, rfc2217://, or auto (by USB id).")
@click.option("--board", default="nucleo_l4r5zi", show_default=True, help="Which board, emulated or at --port.")
@click.option(
    "--optimize",
    type=click.Choice(get_args(Goal)),
    default=Settings.optimize,
    show_default=True,
    help="Which kernels and plan to verify.",
)
@click.option("--samples", type=click.IntRange(min=1), help="At most so many samples.")
@click.option("--sequence", is_flag=True, help="The samples are one stream: what the network remembers stays.")
@click.option("--sanitize/--no-sanitize", default=True, show_default=True, help="Sanitizers of the native build.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the drawn inputs, without --golden.")
@INPUT_SHAPES
@JSON
def command(
    model: Path,
    golden: Path | None,
    place: str,
    port: str | None,
    board: str,
    optimize: Goal,
    samples: int | None,
    sequence: bool,
    sanitize: bool,
    seed: int,
    input_shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare a model's outputs with goldens, or with TensorFlow Lite's reference kernels on drawn inputs."""
    settings = Settings(board=board, precision="as-is", optimize=optimize, seed=seed)
    if (place == BOARD) and port is None:
        raise SettingsError("--on board needs a port", hint="--port PORT, or --port auto")
    place = BOARD if port is not None else place
    imported = import_named(model, input_shapes)
    result = verify_model(
        imported, settings, place, golden, samples, sanitize, show_progress, port or "", talk, sequence
    )
    found = result.agreement
    if as_json:
        facts: dict[str, Any] = {
            "model": result.model,
            "on": place,
            "against": result.against,
            "samples": found.samples,
            "values": found.values,
            "mismatches": found.mismatches,
            "max_difference": found.max_difference,
            "first_layer": result.first_layer,
            "dynamic_range": result.dynamic,
        }
        print(json.dumps(facts, indent=2))
    else:
        out().print(
            f"{result.model} on {place}: {found.mismatches} mismatches in {found.values} values of {found.samples} "
            f"samples against {result.against}"
            + (", to 1 % of the largest reference output: it has layers of dynamic range" if result.dynamic else "")
        )
    if found.mismatches:
        where = f"; the first layer that differs is {result.first_layer}" if result.first_layer else ""
        raise CheckFailedError(
            f"{found.mismatches} of {found.values} output values differ, by up to {found.max_difference:g}{where}",
            hint="keep the model and report this: midge's outputs are meant to be exact",
        )
