"""What compile, run and tune do first: read the model and the data, compile, and say what was given up to fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from midge.boards import load_board
from midge.build.toolchain import find_toolchain
from midge.cli.options import import_named, load_dataset, settings_from
from midge.cli.talk import show_progress, talk
from midge.data import Dataset
from midge.errors import MidgeError
from midge.kernels.timings import Timings
from midge.pipeline import Compiled, compile_model
from midge.run.devices import require_twin
from midge.settings import Settings
from midge.tune.fit import compile_to_fit
from midge.tune.memory import recall


def compile_from(
    model: Path, data_path: Path | None, options: dict[str, Any], *, to_emulate: bool = False
) -> tuple[Compiled, Dataset | None]:
    """The model compiled as the flags say, and its data; what emulating it would miss is said first."""
    use_tuning, input_shapes = not options.pop("no_tuning"), options.pop("input_shapes")
    settings = settings_from(options)
    if to_emulate:
        require_twin(load_board(settings.board))
    imported = import_named(model, input_shapes)
    data = load_dataset(data_path, imported.graph)
    timings = _timings(settings) if use_tuning else {}
    compiled = compile_model(imported, settings, data, show_progress, timings)
    fitting, given_up = compile_to_fit(compiled)
    for reason in given_up:
        talk(f"note: {reason}")
    if given_up:
        talk(f"note: compiled with --optimize {fitting.settings.optimize} instead")
    return fitting, data


def _timings(settings: Settings) -> Timings:
    """What `midge tune` has measured for the compiler that would be used; nothing where there is no compiler."""
    core = load_board(settings.board).core
    try:
        toolchain = find_toolchain(core)
    except MidgeError:
        return {}
    return recall(core, toolchain)
