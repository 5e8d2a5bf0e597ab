"""`midge quantize`: a float model becomes an integer .tflite, within a budget of lost accuracy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click
from rich.table import Table

from midge.cli.files import NewFile, write_file
from midge.cli.options import JSON, MODEL, RAW, load_dataset, raw_settings
from midge.cli.talk import out, show_progress, talk
from midge.compress.apply import compress
from midge.errors import CheckFailedError
from midge.exporters import export_tflite
from midge.importers import import_model
from midge.passes import CANONICALIZE, run_passes
from midge.quantize.raw_input import fold_raw_input
from midge.settings import Precision, RawKind, Settings, Width, load_settings, settings_to_toml
from midge.tune.ladder import RUNGS, Ascent, climb


@click.command()
@MODEL
@click.option("--data", "data_path", required=True, type=click.Path(path_type=Path), help=".npz with x, y and split.")
@click.option("-o", "--output", required=True, type=NewFile(), help="The .tflite to write.")
@click.option(
    "--max-drop", type=click.FloatRange(min=0), default=0.5, show_default=True, help="Points of accuracy to lose."
)
@click.option(
    "--precision", type=click.Choice(["int8", "int16x8", "dynamic"]), help="What activations are.  [default: int8]"
)
@click.option("--weights", type=click.Choice(get_args(Width)), help="How wide weights are.  [default: int8]")
@RAW[0]
@RAW[1]
@RAW[2]
@click.option("--skip", multiple=True, metavar="RUNG", help=f"A rung to leave out: {', '.join(RUNGS)}.")
@click.option("--all", "to_the_top", is_flag=True, help="Climb every rung, even when the budget is met.")
@click.option("--recipe", type=NewFile(), help="Write the settings that won as a midge.toml.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="A midge.toml to start from.")
@JSON
def command(
    model: Path,
    data_path: Path,
    output: Path,
    max_drop: float,
    precision: Precision | None,
    weights: Width | None,
    raw_input: RawKind | None,
    input_mean: str | None,
    input_std: str | None,
    skip: tuple[str, ...],
    to_the_top: bool,
    recipe: Path | None,
    settings_file: Path | None,
    as_json: bool,
) -> None:
    """Quantize a float model, climbing from simple to laborious methods until the accuracy lost fits --max-drop.

    Calibrates on split 1 of the data and measures on split 2 (or on 1 where there is none); split 0 is never looked at.
    """
    settings = Settings() if settings_file is None else load_settings(settings_file)
    settings = replace(settings, weights=weights or settings.weights, precision=precision or settings.precision)
    settings = replace(settings, **raw_settings({"input_mean": input_mean, "input_std": input_std}))  # type: ignore[arg-type]
    settings = replace(settings, raw_input=raw_input or settings.raw_input)
    graph = fold_raw_input(run_passes(import_model(model).graph, CANONICALIZE), settings.raw)
    data = load_dataset(data_path, graph)
    assert data is not None
    data = data.taking(settings.raw)
    graph = compress(graph, settings.compress, data, settings, show_progress)
    ascent = climb(graph, data, settings, max_drop, skip, to_the_top, show_progress)
    if as_json:
        print(json.dumps(_facts(ascent, max_drop), indent=2))
    else:
        out().print(_table(ascent))
    if ascent.score.drop > max_drop:
        raise CheckFailedError(
            f"the best of {len(ascent.rungs)} rungs loses {ascent.score.drop:.2f} points, more than {max_drop:g}: "
            f"{output} was not written",
            hint="a larger --max-drop, wider --weights, or more calibration data",
        )
    write_file(output, export_tflite(ascent.graph))
    if recipe is not None:
        write_file(recipe, settings_to_toml(ascent.settings).encode())
    talk(f"wrote {output}: every midge command takes it, and so does TensorFlow Lite")


def _table(ascent: Ascent) -> Table:
    labelled = ascent.float_percent is not None
    what = f"{ascent.samples} samples of split {ascent.split}"
    start = f"float: {ascent.float_percent:.2f} %" if labelled else "answers that differ from float"
    table = Table(title=f"{start}, on {what}", title_justify="left")
    table.add_column("rung")
    for name in ("right %" if labelled else "same %", "points lost", "mean squared error", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("")
    for rung in ascent.rungs:
        score = rung.score
        percent = score.percent if score.percent is not None else 100 - score.drop
        verdict = "kept" if rung.kept else "left out: no gain"
        table.add_row(
            RUNGS[rung.rung][0],
            f"{percent:.2f}",
            f"{score.drop:+.2f}",
            f"{score.error:.3g}",
            f"{rung.seconds:.1f}",
            verdict,
        )
    return table


def _facts(ascent: Ascent, max_drop: float) -> dict[str, object]:
    return {
        "float_percent": ascent.float_percent,
        "samples": ascent.samples,
        "split": ascent.split,
        "max_drop_points": max_drop,
        "drop_points": ascent.score.drop,
        "met": ascent.score.drop <= max_drop,
        "rungs": [
            {
                "rung": r.rung,
                "kept": r.kept,
                "percent": r.score.percent,
                "drop_points": r.score.drop,
                "mean_squared_error": r.score.error,
                "seconds": round(r.seconds, 2),
            }
            for r in ascent.rungs
        ],
    }
