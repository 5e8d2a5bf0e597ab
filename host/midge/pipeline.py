"""Every stage in order: read this first.

    model file -> import -> canonicalize -> quantize -> optimize -> select -> plan -> bind -> render    compile_model
               -> build -> run -> measure -> report                                                     run_model

Each stage takes one frozen value and returns the next. Everything the command line does goes through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from midge.boards import Board, load_board
from midge.build.firmware import build_firmware
from midge.data import Dataset
from midge.importers import Imported, import_model
from midge.ir.graph import Graph
from midge.kernels.select import Selection, select
from midge.lower.bind import bind
from midge.lower.program import Program
from midge.measure.measurement import Measurement, measure
from midge.memory.lifetimes import lifetimes
from midge.memory.plan import MemoryPlan
from midge.memory.planner import plan_memory
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.progress import silent, Progress
from midge.quantize import quantize_model
from midge.render.sources import render
from midge.report.assemble import assemble
from midge.report.record import Report
from midge.run.runner import run_samples
from midge.settings import Settings


@dataclass(frozen=True, eq=False)
class Compiled:
    """A model as C for one board, with all that led there.

    `imported` is the file, `canonical` the network as it was trained, `graph` what is deployed; `sources` maps file
    names to C text.
    """

    imported: Imported
    settings: Settings
    board: Board
    canonical: Graph
    graph: Graph
    selection: Selection
    plan: MemoryPlan
    program: Program
    sources: Mapping[str, str]


def compile_model(
    model: Path, settings: Settings, data: Dataset | None = None, progress: Progress = silent
) -> Compiled:
    """Compile a model file for `settings.board`. `data` calibrates, where a float model is deployed as int8.

    Raises MidgeError subclasses: ModelFileError, UnsupportedModelError, SettingsError (no calibration data), DataError,
    BoardError.
    """
    board = load_board(settings.board)
    imported = import_model(model)
    canonical = run_passes(imported.graph, CANONICALIZE)
    quantized = quantize_model(canonical, settings, data, progress)
    graph = run_passes(quantized, OPTIMIZE)
    selection = select(graph, board.core, settings.kernels)
    alive = lifetimes(selection)
    plan = plan_memory(alive.buffers, alive.overlaps)
    program = bind(selection, alive, plan)
    return Compiled(imported, settings, board, canonical, graph, selection, plan, program, render(program))


def run_model(
    compiled: Compiled, data: Dataset | None, work_dir: Path, progress: Progress = silent
) -> tuple[Measurement, Report]:
    """Build the firmware in `work_dir`, run it on the emulated core, compare and measure.

    `data` is what is evaluated (its split 0); without it drawn inputs are run and there is no accuracy.
    """
    image = build_firmware(compiled.program, compiled.sources, compiled.board, work_dir, compiled.settings)
    run = run_samples(compiled, image, data, progress)
    measurement = measure(compiled, run, data, progress)
    return measurement, assemble(compiled, image, run, measurement)
