"""`midge compress`: the recipe of compression that loses least within budgets of flash, RAM and time."""

from __future__ import annotations

import json
from dataclasses import replace
from shutil import copyfile
from typing import Any

import click

from midge.boards import load_board
from midge.cli.budgeting import (
    Wanted,
    bench_for,
    budget_options,
    command_for,
    facts_of,
    facts_of_one,
    nothing_fits,
    wanted_from,
)
from midge.cli.files import write_file
from midge.cli.talk import out, show_progress, talk
from midge.compress.steps import Distil
from midge.errors import SettingsError
from midge.report.front import front_table, plot_front
from midge.settings import settings_to_toml
from midge.tune.advisor import TRAININGS, Advice, advise, can_train, network_file
from midge.tune.compress_recipes import in_words, settings_of_recipe
from midge.tune.recipe import Bench
from midge.tune.search import Found, best, front
from midge.tune.study import require_tools, sqlite_url


@click.command()
@budget_options("compress", "accuracy; flash if no budget")
@click.option("--trials", type=click.IntRange(min=1), help="Recipes to measure that need no training.")
@click.option("--trainings", type=click.IntRange(min=0), help=f"Recipes to train.  [default: {TRAININGS}, if need be]")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Of each training.")
def command(trials: int | None, trainings: int | None, epochs: int, **options: Any) -> None:
    """Find out how to compress a float model for a board: pruning, low rank, clusters, width, bits, distillation.

    Writes midge.toml (what was chosen), compressed.tflite, tried.png and trials.db to a folder; the same command again
    goes on from there. What cannot reach the budgets is never trained. Split 0 of the data is never looked at.
    """
    wanted = wanted_from(options, "compress")
    if wanted.settings.compress:
        raise SettingsError("the steps of compression are what is looked for", hint="a midge.toml without [[compress]]")
    require_tools(load_board(wanted.settings.board))
    if not can_train():
        talk('note: without PyTorch only recipes that need no training are tried: pip install "midge[train]"')
    bench = bench_for(wanted)
    trials_file = wanted.folder / "trials.db"
    training = Distil(epochs=epochs)
    plan = Advice(wanted.budgets, wanted.folder, sqlite_url(trials_file), training, always=trainings is not None)
    plan = replace(plan, trials=trials or plan.trials, trainings=TRAININGS if trainings is None else trainings)
    talk(f"trials in {trials_file}; Ctrl-C stops, the same command goes on")
    found = advise(bench, plan, show_progress)
    prefer = wanted.prefer or ("accuracy" if wanted.has_budget else "flash")
    chosen = best(found, wanted.budgets, prefer, "drop")
    _show(bench, found, chosen, wanted.as_json)
    _write(bench, plan, found, chosen, wanted)


def _show(bench: Bench, found: tuple[Found, ...], chosen: Found | None, as_json: bool) -> None:
    ordered = sorted(found, key=lambda f: (f.measured.drop, f.measured.flash_bytes, in_words(f.recipe)))
    if as_json:
        tried = [facts_of_one(f) for f in ordered]
        best_one = None if chosen is None else tried[ordered.index(chosen)]
        print(json.dumps({**facts_of(bench), "tried": tried, "chosen": best_one}, indent=2))
        return
    labelled = bench.yardstick.labels is not None
    out().print(front_table(ordered, chosen, bench.board, labelled, lambda f: in_words(f.recipe), "recipe"))


def _write(bench: Bench, plan: Advice, found: tuple[Found, ...], chosen: Found | None, wanted: Wanted) -> None:
    picture = plan.folder / "tried.png"
    plot_front(picture, found, front(found, "drop"), chosen, bench.board, plan.budgets, "drop")
    if chosen is None:
        raise nothing_fits(found, wanted, picture, "more --trials or --trainings, or more --epochs")
    toml, network = plan.folder / "midge.toml", plan.folder / "compressed.tflite"
    settings = settings_of_recipe(bench.settings, chosen.recipe, plan.training)
    write_file(toml, settings_to_toml(settings).encode())
    copyfile(network_file(plan.folder, chosen.recipe), network)
    talk(f"wrote {network} ({in_words(chosen.recipe)}), which every midge command takes")
    talk(f"wrote {toml}: {command_for(wanted, toml)} runs just this")
