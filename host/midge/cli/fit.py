"""`midge fit`: what a model takes on every board, how fast it would be, and what would make it fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from midge.boards import list_boards
from midge.cli.options import JSON, MODEL, compile_options_of_any_board, import_named, load_dataset, settings_from
from midge.cli.talk import out, show_progress, talk
from midge.importers import Imported
from midge.report.fit_console import print_fits
from midge.settings import Settings
from midge.tune.every_board import BoardFit, fit_boards


@click.command()
@MODEL
@compile_options_of_any_board
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz to calibrate a float model on.")
@JSON
def command(model: Path, data_path: Path | None, as_json: bool, **options: Any) -> None:
    """Show on which boards a model fits, with flash, RAM and predicted latency. --board looks at that one alone."""
    options.pop("no_tuning")
    imported = import_named(model, options.pop("input_shapes"))
    names = list_boards() if options["board"] is None else (options["board"],)
    settings = settings_from(options)
    data = load_dataset(data_path, imported.graph)
    fits = fit_boards(imported, _deployable(settings, imported, data is not None), names, data, show_progress)
    if as_json:
        print(json.dumps({"model": imported.graph.name, "boards": [facts(fit) for fit in fits]}, indent=2))
    else:
        print_fits(fits, out())


def facts(fit: BoardFit) -> dict[str, Any]:
    """What `--json` prints of a board."""
    return {
        "name": fit.board.name,
        "core": fit.board.core.name,
        "fits": fit.fits,
        "flash_bytes": fit.flash_bytes,
        "flash_available_bytes": fit.board.flash_bytes,
        "ram_bytes": fit.ram_bytes,
        "ram_available_bytes": fit.board.ram_bytes,
        "sizes": fit.sizes,
        "latency_us": fit.latency_us,
        "latency_is": _latency_is(fit),
        "instructions": fit.instructions,
        "basis": f"one inference on the emulated {fit.ran}: {fit.basis}" if fit.ran else fit.basis,
        "advice": fit.advice or None,
    }


def _latency_is(fit: BoardFit) -> str | None:
    if fit.latency_us is None or fit.lower_bound:
        return None if fit.latency_us is None else "lower bound"
    return "exact" if fit.board.twin.timing.kind == "exact cycles" else "modelled"


def _deployable(settings: Settings, imported: Imported, has_data: bool) -> Settings:
    """A float model without data to calibrate on is looked at as float."""
    if has_data or settings.precision != "int8" or not imported.graph.is_float:
        return settings
    talk("note: a float model, looked at as float; --data to calibrate on makes it int8, which is far smaller")
    return replace(settings, precision="float")
