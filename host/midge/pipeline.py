"""Every stage in order: read this first.

    model file -> import -> canonicalize -> compress -> quantize -> optimize
               -> select -> plan -> bind -> render                              compile_model
               -> build -> run -> measure -> report                             run_model

Each stage takes one frozen value and returns the next. Everything the command line does goes through here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from midge.boards import Board, load_board
from midge.build.platformio import Say
from midge.compress.apply import compress
from midge.data import Dataset
from midge.errors import InterruptedRunError
from midge.importers import Imported
from midge.ir.graph import Graph
from midge.ir.verify import verify
from midge.kernels.select import Selection, select
from midge.kernels.timings import Timings
from midge.lower.bind import bind
from midge.lower.program import Program
from midge.measure.evaluation import evaluate
from midge.memory.lifetimes import Lifetimes, lifetimes
from midge.memory.plan import MemoryPlan
from midge.memory.planner import plan_memory
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes, store_states
from midge.progress import Progress, silent
from midge.quantize import quantize_model
from midge.quantize.raw_input import fold_raw_input
from midge.render.sources import Sources, render
from midge.report.assemble import assemble
from midge.report.assemble_board import assemble_board
from midge.report.record import Report
from midge.run.board import board_device
from midge.run.devices import emulated_device
from midge.settings import Settings


@dataclass(frozen=True, eq=False)
class Compiled:
    """A model as C for one board, with all that led there.

    `imported` is the file, `canonical` the network as it was trained, `graph` what is deployed, `sources` the C
    files by name, `timings` the measured cycles that kernels were chosen by.
    """

    imported: Imported
    settings: Settings
    board: Board
    canonical: Graph
    graph: Graph
    selection: Selection
    lifetimes: Lifetimes
    plan: MemoryPlan
    program: Program
    sources: Sources
    timings: Timings


def compile_model(
    imported: Imported,
    settings: Settings,
    data: Dataset | None = None,
    progress: Progress = silent,
    timings: Timings | None = None,
) -> Compiled:
    """Compile an imported model for `settings.board`.

    `data` calibrates where a float model is deployed as int8 (its split 1); `timings` are what midge.tune measured.
    Raises MidgeError: SettingsError without calibration data, BoardError, DataError.
    """
    board = load_board(settings.board)
    canonical = fold_raw_input(run_passes(imported.graph, CANONICALIZE), settings.raw)
    data = None if data is None else data.taking(settings.raw)
    compressed = compress(canonical, settings.compress, data, settings, progress)
    quantized = quantize_model(compressed, settings, data, progress)
    graph = run_passes(quantized, OPTIMIZE)
    return compile_graph(imported, canonical, graph, settings, board, timings)


def compile_graph(
    imported: Imported,
    canonical: Graph,
    graph: Graph,
    settings: Settings,
    board: Board,
    timings: Timings | None = None,
) -> Compiled:
    """The second half of compile_model: a graph that is ready to be deployed becomes C."""
    graph = verify(store_states(graph))
    selection = select(graph, board.core, settings.optimize, settings.kernels, timings, board.flash_bytes)
    alive = lifetimes(selection)
    plan = plan_memory(alive.buffers, alive.overlaps, alive.states)
    program = bind(selection, alive, plan)
    return Compiled(
        imported, settings, board, canonical, graph, selection, alive, plan, program, render(program), timings or {}
    )


def run_model(
    compiled: Compiled,
    data: Dataset | None,
    work_dir: Path,
    samples: int | None = None,
    progress: Progress = silent,
    runs: int | None = None,
    sequence: bool = False,
) -> Report:
    """Build the firmware in `work_dir`, run it on the emulated core, compare every output and measure.

    `data` is what is evaluated (its split 0, or the first `samples` of it); without data drawn inputs are run and there
    is no accuracy. A network that remembers forgets before each sample; in a `sequence` where a stream of `data`
    begins. `runs`: at least so many are timed, samples again in turn.
    Raises MidgeError: ToolchainError, DoesNotFitError, DeviceFaultError, LinkError.
    """
    data = None if data is None else data.taking(compiled.settings.raw)
    with emulated_device(compiled, work_dir) as device:
        evaluation = evaluate(compiled, device, data, samples, progress, runs, sequence)
        if evaluation.broken is not None:
            raise evaluation.broken
        return assemble(compiled, device, evaluation)


def run_on_board(
    compiled: Compiled,
    data: Dataset | None,
    port: str,
    say: Say,
    samples: int | None = None,
    progress: Progress = silent,
    runs: int | None = None,
    sequence: bool = False,
) -> Report:
    """As run_model, on the board at `port` (a path, a URL of pyserial, or `auto`): built and flashed by PlatformIO.

    `say` takes lines about what is going on. A board that runs this model already is not flashed again.
    Raises InterruptedRunError, with the report so far, when the board stops answering behind the first sample.
    """
    data = None if data is None else data.taking(compiled.settings.raw)
    with board_device(compiled, port, say) as device:
        evaluation = evaluate(compiled, device, data, samples, progress, runs, sequence)
        report = assemble_board(compiled, device, evaluation)
    if evaluation.broken is not None:
        raise InterruptedRunError(evaluation.broken, report)
    return report
