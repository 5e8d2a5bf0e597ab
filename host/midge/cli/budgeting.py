"""What the commands that look for something within budgets have in common: flags, the bench, and how it ends."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from midge.boards import Board, load_board
from midge.cli.files import NewFolder
from midge.cli.options import INPUT_SHAPES, JSON, MODEL, load_dataset, named_shapes
from midge.cli.talk import show_progress, talk
from midge.errors import CheckFailedError, SettingsError
from midge.importers import import_model
from midge.ir.tensor import Shape
from midge.passes import CANONICALIZE, run_passes
from midge.settings import Settings, load_settings
from midge.tune.proposals import Budgets
from midge.tune.recipe import Bench, set_up
from midge.tune.score import doubts
from midge.tune.search import PREFERENCES, Found, Preference

F = TypeVar("F", bound=Callable[..., Any])

# What is started from, where no file says otherwise: a cheap step that narrow weights need, and kernels that unpack
# them (those of `speed` leave them a byte each, which saves no flash).
_START = Settings(bias_correction="outputs", calibration_samples=100, optimize="balanced")
_SIZES = {"": 1, "K": 1024, "M": 1024**2}
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Wanted:
    """What the flags say: a model and data by their paths, what every recipe starts from, and what it may take.

    `prefer`: None where it is not said.
    """

    model: Path
    shapes: Mapping[str, Shape]
    data: Path
    settings: Settings
    budgets: Budgets
    prefer: Preference | None
    folder: Path
    as_json: bool

    @property
    def has_budget(self) -> bool:
        """Whether flash, RAM or time is limited."""
        return any(isfinite(b) for b in (self.budgets.flash_bytes, self.budgets.ram_bytes, self.budgets.cycles))


def budget_options(name: str, prefer: str) -> Callable[[F], F]:
    """The flags that make up Wanted, for the command called `name`; `prefer`: in words what is preferred by default."""
    options = (
        MODEL,
        click.option(
            "--data", "data_path", required=True, type=click.Path(path_type=Path), help=".npz with x, y and split."
        ),
        click.option("--board", help="A board's name (see `midge boards`) or .toml file."),
        click.option("--flash", metavar="BYTES", help="The most flash for the network's code and constants, e.g. 64K."),
        click.option("--ram", metavar="BYTES", help="The most RAM for its arena and stack, e.g. 20K."),
        click.option("--latency", metavar="TIME", help="The longest that an inference may take, e.g. 50ms."),
        click.option(
            "--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points to lose."
        ),
        click.option("--prefer", type=click.Choice(PREFERENCES), help=f"Best by what.  [default: {prefer}]"),
        click.option(
            "-o",
            "--output",
            type=NewFolder(),
            help=f"The folder to write.  [default: MODEL-{name}]",
        ),
        click.option(
            "--settings", "settings_file", type=click.Path(path_type=Path), help="A midge.toml to start from."
        ),
        INPUT_SHAPES,
        JSON,
    )

    def decorated(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


def wanted_from(options: dict[str, Any], name: str) -> Wanted:
    """Takes the flags of budget_options out of `options`; what is left is the command's own.

    Raises SettingsError for an amount that is none, or a time where there is no clock, BoardError.
    """
    file, board, model = (options.pop(key) for key in ("settings_file", "board", "model"))
    settings = _START if file is None else load_settings(file)
    settings = replace(settings, board=board or settings.board, precision="int8")
    limits = [options.pop(key) for key in ("flash", "ram", "latency", "max_drop")]
    return Wanted(
        model,
        named_shapes(options.pop("input_shapes")),
        options.pop("data_path"),
        settings,
        _budgets(load_board(settings.board), *limits),
        options.pop("prefer"),
        options.pop("output") or Path(f"{model.stem}-{name}"),
        options.pop("as_json"),
    )


def bench_for(wanted: Wanted) -> Bench:
    """What recipes are measured on, with its folder made; says what decides, and what it may not be good for.

    Raises what import_model, load_dataset and set_up do: then no folder is made, but by the last.
    """
    imported = import_model(wanted.model, wanted.shapes)
    data = load_dataset(wanted.data, run_passes(imported.graph, CANONICALIZE))
    assert data is not None
    try:
        wanted.folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise SettingsError(
            f"{wanted.folder} cannot be made: {problem}", hint="-o FOLDER that you may write"
        ) from problem
    bench = set_up(imported, data, wanted.settings, show_progress)
    yardstick = bench.yardstick
    count = len(yardstick.chosen)
    right = "" if yardstick.float_percent is None else f": float gets {yardstick.float_percent:.2f} % right"
    talk(f"{count} samples of split {yardstick.split} decide, {100 / count:.2f} points each{right}")
    for doubt in doubts(yardstick):
        talk(f"note: {doubt}")
    return bench


def command_for(wanted: Wanted, toml: Path) -> str:
    """The command that runs the recipe of `toml`, to be pasted into a shell."""
    shapes = [f"--input-shape={name}={'x'.join(map(str, shape))}" for name, shape in wanted.shapes.items()]
    paths = (str(wanted.model), "--data", str(wanted.data), "--emulate", "--no-tuning", "--settings", str(toml))
    return shlex.join(["midge", "run", *paths, *shapes])


def facts_of(bench: Bench) -> dict[str, object]:
    """What --json says before anything else: the board, and what decides."""
    return {
        "board": bench.board.name,
        "clock": bench.board.twin.timing.kind,
        "float_percent": bench.yardstick.float_percent,
        "samples": len(bench.yardstick.chosen),
        "split": bench.yardstick.split,
    }


def facts_of_one(found: Found) -> dict[str, object]:
    """A recipe and what was measured, for --json."""
    return {"recipe": dict(sorted(found.recipe.items())), **asdict(found.measured)}


def nothing_fits(found: Sequence[Found], wanted: Wanted, picture: Path, more: str) -> CheckFailedError:
    """None of those found keeps to the budgets: how near each comes by itself; `more`: the command's flags to try."""
    budgets, measured = wanted.budgets, [f.measured for f in found]
    least = [
        f"{min(values):,.{digits}f} {what}"
        for values, most, what, digits in (
            ([m.flash_bytes for m in measured], budgets.flash_bytes, "bytes of flash", 0),
            ([m.ram_bytes for m in measured], budgets.ram_bytes, "bytes of RAM", 0),
            ([m.cycles for m in measured], budgets.cycles, "cycles", 0),
            ([m.drop for m in measured], budgets.drop, "points lost", 2),
        )
        if isfinite(most)
    ]
    return CheckFailedError(
        f"none of {len(found)} recipes keeps to the budgets; the least of each, by itself: {', '.join(least)}; the "
        f"table and {picture} show them",
        hint=f"larger budgets, {more}",
    )


def _budgets(board: Board, flash: str | None, ram: str | None, latency: str | None, drop: float) -> Budgets:
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
