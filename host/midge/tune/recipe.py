"""A recipe of widths, and what it costs and loses: the measurement that a search makes of each of its trials."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from midge.boards import Board, load_board
from midge.compress.apply import compress
from midge.data import Dataset, draw_inputs
from midge.errors import SettingsError
from midge.importers import Imported
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.passes.float_weights import float_weights
from midge.pipeline import compile_graph
from midge.progress import Progress, silent
from midge.quantize.model import calibration_samples, quantize_with
from midge.quantize.raw_input import fold_raw_input
from midge.quantize.samples import Samples
from midge.run.devices import emulated_device
from midge.settings import Settings
from midge.tune.score import Yardstick, float_yardstick

# What a search chooses from for each layer, the plain choice first.
WEIGHTS = ("int8", "int4", "int2")
ACTIVATIONS = ("int8", "int16")


@dataclass(frozen=True)
class Measured:
    """One recipe: what it loses on the tuning samples, and what it costs on the core.

    `flash_bytes` are the network's code and constants, `const_bytes` the constants alone, `ram_bytes` its arena, what
    else it keeps, and the stack that the run used. `cycles` are of one inference (instructions where the core's twin
    counts those). `hash` is the program's: two recipes with one hash are the same bits.
    """

    error: float
    drop: float
    percent: float | None
    flash_bytes: int
    const_bytes: int
    ram_bytes: int
    cycles: int
    hash: str


@dataclass(frozen=True, eq=False)
class Bench:
    """What all trials have in common: the network, the samples, and the settings that recipes change."""

    imported: Imported
    canonical: Graph
    settings: Settings
    board: Board
    samples: Samples
    yardstick: Yardstick

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose widths are to be chosen: those with weights."""
        return tuple(op.name for op in self.canonical.ops if op.weight_axis)


def set_up(imported: Imported, data: Dataset, settings: Settings, progress: Progress = silent) -> Bench:
    """The bench for a float model. Raises SettingsError for an integer one, or one that remembers."""
    canonical = float_weights(fold_raw_input(run_passes(imported.graph, CANONICALIZE), settings.raw))
    data = data.taking(settings.raw)
    if not canonical.is_float or canonical.updates:
        what = "is an integer model already" if not canonical.is_float else "remembers, which midge does not quantize"
        raise SettingsError(f"{canonical.name} {what}", hint="start from a float model without memory")
    board = load_board(settings.board)
    _ = board.twin  # where there is none, nothing can be measured
    yardstick = float_yardstick(canonical, data, progress)
    canonical = compress(canonical, settings.compress, data, settings, progress)
    return Bench(imported, canonical, settings, board, calibration_samples(canonical, data, settings), yardstick)


def settings_of(base: Settings, recipe: Mapping[str, str]) -> Settings:
    """`base` with the widths of a recipe, {"weights.conv_1": "int4"}; what is as in `base` is left out."""
    layers, activations = dict(base.layers), dict(base.activations)
    for name, value in recipe.items():
        what, _, layer = name.partition(".")
        if what == "weights" and value != layers.get(layer, base.weights):
            layers[layer] = value  # type: ignore[assignment]
        if what == "activations" and value != activations.get(layer, "int8"):
            activations[layer] = value  # type: ignore[assignment]
    return replace(base, layers=layers, activations=activations)


def choices(layers: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """What can be chosen: the values of each part of a recipe, the widest first."""
    widths = {f"weights.{layer}": WEIGHTS for layer in layers}
    return {**widths, **{f"activations.{layer}": ACTIVATIONS for layer in layers}}


def measure(bench: Bench, recipe: Mapping[str, str]) -> Measured:
    """Quantize, score, compile, and run one inference on the emulated core. Raises MidgeError where that cannot be."""
    settings = settings_of(bench.settings, recipe)
    return run_once(bench, quantize_with(bench.canonical, settings, bench.samples), settings)


def run_once(bench: Bench, made: Graph, settings: Settings) -> Measured:
    """Score the integer network `made`, compile it, and run one inference on the emulated core."""
    graph = run_passes(made, OPTIMIZE)
    score = bench.yardstick.score(graph)
    compiled = compile_graph(bench.imported, bench.canonical, graph, settings, bench.board)
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(compiled, Path(folder)) as device:
        sample = device.infer(draw_inputs(compiled.graph, 1, settings.seed)[0])
        flash, ram = device.image.flash, device.image.ram
        stack = device.board.stack_high_water_bytes()
    return Measured(
        score.error,
        score.drop,
        score.percent,
        flash.code_bytes + flash.const_bytes,
        flash.const_bytes,
        ram.model_bytes + stack,
        sample.cycles,
        compiled.program.hash,
    )
