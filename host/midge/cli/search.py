"""`midge search`: which layer gets how many bits, within budgets of flash, RAM, time and accuracy."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, replace
from math import inf
from pathlib import Path
from typing import get_args

import click

from midge.boards import Board, load_board
from midge.cli.files import write_file
from midge.cli.options import INPUT_SHAPES, JSON, MODEL, load_dataset, named_shapes
from midge.cli.talk import out, show_progress, talk
from midge.errors import CheckFailedError, SettingsError
from midge.importers import import_model
from midge.passes import CANONICALIZE, run_passes
from midge.pipeline import compile_model
from midge.report.front import front_table, plot_front
from midge.settings import Goal, Settings, load_settings, settings_to_toml
from midge.tune.proposals import Budgets
from midge.tune.recipe import Bench, set_up, settings_of
from midge.tune.search import PREFERENCES, Found, Job, Preference, best, enough_trials, front, search, study_name
from midge.tune.study import require_tools, sqlite_url

# What a search starts from, where no file says otherwise: a cheap step that narrow weights need, and kernels that
# unpack them (those of `speed` leave them a byte each, which saves no flash).
START = Settings(bias_correction="outputs", calibration_samples=100, optimize="balanced")
_SIZES = {"": 1, "K": 1024, "M": 1024**2}
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@click.command()
@MODEL
@click.option("--data", "data_path", required=True, type=click.Path(path_type=Path), help=".npz with x, y and split.")
@click.option("--board", help="A board's name (see `midge boards`) or .toml file.")
@click.option("--flash", metavar="BYTES", help="The most flash for the network's code and constants, e.g. 64K.")
@click.option("--ram", metavar="BYTES", help="The most RAM for its arena and stack, e.g. 20K.")
@click.option("--latency", metavar="TIME", help="The longest that an inference may take, e.g. 50ms.")
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points to lose.")
@click.option("--prefer", type=click.Choice(PREFERENCES), default="accuracy", show_default=True, help="Best by what.")
@click.option("--trials", type=click.IntRange(min=1), help="Recipes to measure, with those of earlier runs.")
@click.option("--jobs", type=click.IntRange(min=1), help="Trials at a time.  [default: one per core]")
@click.option("--optimize", type=click.Choice(get_args(Goal)), help="What kernels favor.  [default: balanced]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder to write.  [default: MODEL-search]")
@click.option("--storage", metavar="URL", help="Where trials are kept, to join others.  [default: a file in --output]")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="A midge.toml to start from.")
@INPUT_SHAPES
@JSON
def command(
    model: Path,
    data_path: Path,
    board: str | None,
    flash: str | None,
    ram: str | None,
    latency: str | None,
    max_drop: float,
    prefer: Preference,
    trials: int | None,
    jobs: int | None,
    optimize: Goal | None,
    output: Path | None,
    storage: str | None,
    settings_file: Path | None,
    input_shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Search for the width of each layer that a board can hold, measured on its emulated core.

    Writes midge.toml (what was chosen), front.png and trials.db to a folder; the same command again goes on from there.
    Calibrates on split 1 of the data and scores on split 2 (or 1); split 0 is never looked at.
    """
    settings = START if settings_file is None else load_settings(settings_file)
    settings = replace(
        settings, board=board or settings.board, precision="int8", optimize=optimize or settings.optimize
    )
    target = load_board(settings.board)
    budgets = budgets_of(target, flash, ram, latency, max_drop)
    require_tools(target)
    folder = output or Path(f"{model.stem}-search")
    shapes = named_shapes(input_shapes)
    imported = import_model(model, shapes)
    data = load_dataset(data_path, run_passes(imported.graph, CANONICALIZE))
    assert data is not None
    # Only now: what cannot be searched leaves nothing behind.
    make_folder(folder)
    bench = set_up(imported, data, settings, show_progress)
    url = storage or sqlite_url(folder / "trials.db")
    count = trials or enough_trials(bench)
    job = Job(model, shapes, data_path, settings, url, study_name(bench), budgets, count)
    talk(f"study {job.study} in {url}; Ctrl-C stops, the same command goes on")
    found = search(job, bench, jobs or os.cpu_count() or 1, show_progress)
    _show(bench, found, budgets, prefer, folder, as_json)


def _show(
    bench: Bench, found: tuple[Found, ...], budgets: Budgets, prefer: Preference, folder: Path, as_json: bool
) -> None:
    on_front, chosen = front(found), best(found, budgets, prefer)
    labelled = bench.yardstick.labels is not None
    if as_json:
        print(json.dumps(_facts(bench, found, on_front, chosen), indent=2))
    else:
        shown = on_front if chosen is None or chosen in on_front else (*on_front, chosen)
        out().print(front_table(shown, chosen, bench.board, labelled))
    plot_front(folder / "front.png", found, on_front, chosen, bench.board, budgets)
    if chosen is None:
        raise CheckFailedError(
            f"none of {len(found)} recipes keeps to the budgets; the table and {folder / 'front.png'} show how far "
            "they are away",
            hint="larger budgets, more --trials, or more laborious steps in a midge.toml for --settings",
        )
    settings = settings_of(bench.settings, chosen.recipe)
    again = compile_model(bench.imported, settings, bench.yardstick.data, show_progress)
    if again.program.hash != chosen.measured.hash:
        raise CheckFailedError(
            "the recipe does not give the same bits again", hint="a study of another computer; leave --storage out"
        )
    path = folder / "midge.toml"
    write_file(path, settings_to_toml(settings).encode())
    talk(f"wrote {path}: midge run MODEL --data DATA --emulate --no-tuning --settings {path} runs just this")


def _facts(
    bench: Bench, found: tuple[Found, ...], on_front: tuple[Found, ...], chosen: Found | None
) -> dict[str, object]:
    def one(f: Found) -> dict[str, object]:
        return {"recipe": dict(sorted(f.recipe.items())), **asdict(f.measured)}

    return {
        "board": bench.board.name,
        "clock": bench.board.twin.timing.kind,
        "float_percent": bench.yardstick.float_percent,
        "samples": len(bench.yardstick.chosen),
        "split": bench.yardstick.split,
        "trials": len(found),
        "front": [one(f) for f in on_front],
        "chosen": None if chosen is None else one(chosen),
    }


def budgets_of(board: Board, flash: str | None, ram: str | None, latency: str | None, drop: float) -> Budgets:
    """What the flags allow. Raises SettingsError for an amount that is none, or a time where there is no clock."""
    cycles = inf
    if latency is not None:
        if board.twin.timing.kind == "instructions":
            raise SettingsError(
                f"--latency: the twin of {board.name} counts instructions, which are no time",
                hint="leave --latency out; the search then counts instructions",
            )
        cycles = _amount("--latency", latency, _TIMES) * board.clock_hz
    sizes = [inf if text is None else _amount(f, text, _SIZES) for f, text in (("--flash", flash), ("--ram", ram))]
    return Budgets(sizes[0], sizes[1], cycles, drop)


def _amount(flag: str, text: str, units: dict[str, float] | dict[str, int]) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if parts is None or parts[2] not in units:
        raise SettingsError(
            f"{flag} {text}: not a number with a unit", hint=f"units: {', '.join(u for u in units if u)}"
        )
    return float(parts[1]) * units[parts[2]]


def make_folder(folder: Path) -> None:
    """The folder, made. Raises SettingsError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise SettingsError(f"{folder} cannot be made: {problem}", hint="-o FOLDER that you may write") from problem
