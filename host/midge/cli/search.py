"""`midge search`: which layer gets how many bits, within budgets of flash, RAM, time and accuracy."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any, get_args

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
from midge.errors import CheckFailedError
from midge.pipeline import compile_model
from midge.report.front import front_table, plot_front, widths
from midge.settings import Goal, settings_to_toml
from midge.tune.proposals import key, plain
from midge.tune.recipe import Bench, choices, settings_of
from midge.tune.search import Found, Job, best, enough_trials, front, search, study_name
from midge.tune.study import require_tools, sqlite_url


@click.command()
@budget_options("search", "accuracy")
@click.option("--trials", type=click.IntRange(min=1), help="Recipes to measure, with those of earlier runs.")
@click.option("--jobs", type=click.IntRange(min=1), help="Trials at a time.  [default: one per core]")
@click.option("--optimize", type=click.Choice(get_args(Goal)), help="What kernels favor.  [default: balanced]")
@click.option("--storage", metavar="URL", help="Where trials are kept, to join others.  [default: a file in --output]")
def command(**options: Any) -> None:
    """Search for the width of each layer that a board can hold, measured on its emulated core.

    Writes midge.toml (what was chosen), front.png and trials.db to a folder; the same command again goes on from there.
    Calibrates on split 1 of the data and scores on split 2 (or 1); split 0 is never looked at.
    """
    wanted = wanted_from(options, "search")
    if options["optimize"] is not None:
        wanted = replace(wanted, settings=replace(wanted.settings, optimize=options["optimize"]))
    require_tools(load_board(wanted.settings.board))
    bench = bench_for(wanted)
    url = options["storage"] or sqlite_url(wanted.folder / "trials.db")
    count = options["trials"] or enough_trials(bench)
    paths = (wanted.model, wanted.shapes, wanted.data)
    job = Job(*paths, wanted.settings, url, study_name(bench), wanted.budgets, count)
    talk(f"{count} recipes, study {job.study} in {url}; Ctrl-C stops, the same command goes on")
    _show(bench, search(job, bench, options["jobs"] or os.cpu_count() or 1, show_progress), wanted)


def _show(bench: Bench, found: tuple[Found, ...], wanted: Wanted) -> None:
    on_front, chosen = front(found), best(found, wanted.budgets, wanted.prefer or "accuracy")
    if wanted.as_json:
        print(json.dumps(_facts(bench, found, on_front, chosen), indent=2))
    else:
        usual = key(plain(choices(bench.layers)))
        beside = (f for f in found if f not in on_front and (f is chosen or key(f.recipe) == usual))
        out().print(front_table((*on_front, *beside), chosen, bench.board, bench.yardstick.labels is not None))
    picture = wanted.folder / "front.png"
    plot_front(picture, found, on_front, chosen, bench.board, wanted.budgets)
    if chosen is None:
        raise nothing_fits(found, wanted, picture, "more --trials, or more laborious steps in a midge.toml")
    settings = settings_of(bench.settings, chosen.recipe)
    again = compile_model(bench.imported, settings, bench.yardstick.data, show_progress)
    if again.program.hash != chosen.measured.hash:
        raise CheckFailedError(
            "the recipe does not give the same bits again", hint="a study of another computer; leave --storage out"
        )
    path = wanted.folder / "midge.toml"
    write_file(path, settings_to_toml(settings).encode())
    talk(f"chosen: {widths(chosen)}")
    if not wanted.has_budget and wanted.prefer is None:
        talk(
            "note: the nearest to the float network, at any price: --flash, --ram, --latency or --prefer say otherwise"
        )
    talk(f"wrote {path}: {command_for(wanted, path)} runs just this")


def _facts(
    bench: Bench, found: tuple[Found, ...], on_front: tuple[Found, ...], chosen: Found | None
) -> dict[str, object]:
    return {
        **facts_of(bench),
        "trials": len(found),
        "front": [facts_of_one(f) for f in on_front],
        "chosen": None if chosen is None else facts_of_one(chosen),
    }
