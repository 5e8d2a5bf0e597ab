"""`midge compress`: the recipe of compression that loses least within budgets of flash, RAM and time."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from shutil import copyfile

import click

from midge.boards import load_board
from midge.cli.files import write_file
from midge.cli.options import INPUT_SHAPES, JSON, MODEL, load_dataset, named_shapes
from midge.cli.search import START, budgets_of, make_folder
from midge.cli.talk import out, show_progress, talk
from midge.compress.steps import Distil
from midge.errors import CheckFailedError, SettingsError
from midge.importers import import_model
from midge.passes import CANONICALIZE, run_passes
from midge.report.front import front_table, plot_front
from midge.settings import load_settings, settings_to_toml
from midge.tune.advisor import TRAININGS, Advice, advise, can_train, network_file
from midge.tune.compress_recipes import in_words, settings_of_recipe
from midge.tune.recipe import Bench, set_up
from midge.tune.search import PREFERENCES, Found, Preference, best, front
from midge.tune.study import require_tools, sqlite_url


@click.command()
@MODEL
@click.option("--data", "data_path", required=True, type=click.Path(path_type=Path), help=".npz with x, y and split.")
@click.option("--board", help="A board's name (see `midge boards`) or .toml file.")
@click.option("--flash", metavar="BYTES", help="The most flash for the network's code and constants, e.g. 64K.")
@click.option("--ram", metavar="BYTES", help="The most RAM for its arena and stack, e.g. 20K.")
@click.option("--latency", metavar="TIME", help="The longest that an inference may take, e.g. 50ms.")
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points to lose.")
@click.option("--prefer", type=click.Choice(PREFERENCES), help="Best by what.  [default: accuracy; flash if no budget]")
@click.option("--trials", type=click.IntRange(min=1), help="Recipes to measure that need no training.")
@click.option("--trainings", type=click.IntRange(min=0), help=f"Recipes to train.  [default: {TRAININGS}, if need be]")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Of each training.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder to write.  [default: MODEL-compress]")
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
    prefer: Preference | None,
    trials: int | None,
    trainings: int | None,
    epochs: int,
    output: Path | None,
    settings_file: Path | None,
    input_shapes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find out how to compress a float model for a board: pruning, low rank, clusters, width, bits, distillation.

    Writes midge.toml (what was chosen), compressed.tflite, tried.png and trials.db to a folder; the same command again
    goes on from there. What cannot reach the budgets is never trained. Split 0 of the data is never looked at.
    """
    settings = START if settings_file is None else load_settings(settings_file)
    if settings.compress:
        raise SettingsError("the steps of compression are what is looked for", hint="a midge.toml without [[compress]]")
    settings = replace(settings, board=board or settings.board, precision="int8")
    target = load_board(settings.board)
    budgets = budgets_of(target, flash, ram, latency, max_drop)
    require_tools(target)
    if not can_train():
        talk('note: without PyTorch only recipes that need no training are tried: pip install "midge[train]"')
    imported = import_model(model, named_shapes(input_shapes))
    data = load_dataset(data_path, run_passes(imported.graph, CANONICALIZE))
    assert data is not None
    folder = output or Path(f"{model.stem}-compress")
    make_folder(folder)
    bench = set_up(imported, data, settings, show_progress)
    plan = Advice(
        budgets, folder, sqlite_url(folder / "trials.db"), Distil(epochs=epochs), always=trainings is not None
    )
    plan = replace(plan, trials=trials or plan.trials, trainings=TRAININGS if trainings is None else trainings)
    talk(f"trials in {folder / 'trials.db'}; Ctrl-C stops, the same command goes on")
    found = advise(bench, plan, show_progress)
    has_budget = any(isfinite(b) for b in (budgets.flash_bytes, budgets.ram_bytes, budgets.cycles))
    chosen = best(found, budgets, prefer or ("accuracy" if has_budget else "flash"), "drop")
    _show(bench, plan, found, chosen, as_json)
    _write(bench, plan, found, chosen)


def _show(bench: Bench, plan: Advice, found: tuple[Found, ...], chosen: Found | None, as_json: bool) -> None:
    ordered = sorted(found, key=lambda f: (f.measured.drop, f.measured.flash_bytes, in_words(f.recipe)))
    if as_json:
        tried = [{"recipe": dict(sorted(f.recipe.items())), **asdict(f.measured)} for f in ordered]
        facts = {
            "board": bench.board.name,
            "clock": bench.board.twin.timing.kind,
            "float_percent": bench.yardstick.float_percent,
            "samples": len(bench.yardstick.chosen),
            "split": bench.yardstick.split,
            "tried": tried,
            "chosen": None if chosen is None else tried[ordered.index(chosen)],
        }
        print(json.dumps(facts, indent=2))
        return
    labelled = bench.yardstick.labels is not None
    out().print(front_table(ordered, chosen, bench.board, labelled, lambda f: in_words(f.recipe), "recipe"))


def _write(bench: Bench, plan: Advice, found: tuple[Found, ...], chosen: Found | None) -> None:
    picture = plan.folder / "tried.png"
    plot_front(picture, found, front(found, "drop"), chosen, bench.board, plan.budgets, "drop")
    if chosen is None:
        raise CheckFailedError(
            f"none of {len(found)} recipes keeps to the budgets; the table and {picture} show how far they are away",
            hint="larger budgets, more --trials or --trainings, or more --epochs",
        )
    toml, network = plan.folder / "midge.toml", plan.folder / "compressed.tflite"
    settings = settings_of_recipe(bench.settings, chosen.recipe, plan.training)
    write_file(toml, settings_to_toml(settings).encode())
    copyfile(network_file(plan.folder, chosen.recipe), network)
    talk(f"wrote {network} ({in_words(chosen.recipe)}), which every midge command takes")
    talk(f"wrote {toml}: midge run MODEL --data DATA --emulate --no-tuning --settings {toml} runs just this")
