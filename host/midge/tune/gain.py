"""What compression gains on a board: the network before and after, both deployed alike and run on the emulated core."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from midge.boards import load_board
from midge.data import Dataset, draw_inputs
from midge.importers import Imported
from midge.ir.graph import Graph
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.pipeline import compile_graph
from midge.quantize.model import CalibrationWarning, FusionWarning, quantize_model
from midge.run.devices import emulated_device
from midge.settings import Settings

# A smaller part than this of the cycles and of the bytes is no gain.
WORTH = 0.01
# Ranges hardly matter for what a network costs: a few samples tell them.
_SAMPLES = 32


@dataclass(frozen=True)
class Cost:
    """One inference on the emulated core, and the network's flash. `cycles` are what the board's clock counts."""

    cycles: int
    const_bytes: int
    code_bytes: int

    @property
    def flash_bytes(self) -> int:
        """Constants and code."""
        return self.const_bytes + self.code_bytes


@dataclass(frozen=True)
class Gain:
    """Two costs on one board. `clock`: modelled cycles, exact cycles or instructions; `precision`: what was run."""

    board: str
    clock: str
    precision: str
    before: Cost
    after: Cost

    @property
    def is_nothing(self) -> bool:
        """Whether neither time nor flash is saved that is worth a word."""
        return not any(part >= WORTH for part in self._saved())

    @property
    def sentence(self) -> str:
        """What is gained, in words."""
        cycles, flash = self.before.cycles - self.after.cycles, self.before.flash_bytes - self.after.flash_bytes
        what = self.clock.rpartition(" ")[2]
        parts = [_change(cycles, what, self.before.cycles), _change(flash, "bytes", self.before.flash_bytes)]
        said = f"{', '.join(parts)} ({self.precision}, {self.clock})"
        return f"gains nothing on {self.board}: {said}" if self.is_nothing else f"{said} on {self.board}"

    def _saved(self) -> tuple[float, float]:
        one, other = self.before, self.after
        return (one.cycles - other.cycles) / one.cycles, (one.flash_bytes - other.flash_bytes) / one.flash_bytes


def gain(before: Graph, after: Graph, settings: Settings, data: Dataset | None = None) -> Gain:
    """What `after` saves against `before` on `settings.board`.

    Float networks become int8 by the extremes of a few samples of split 1 of `data`, stay float where there are none;
    integer ones are run as they are. Raises BoardError for a board without an emulated twin, ToolchainError,
    MissingExtraError, DoesNotFitError, and what quantize_model does.
    """
    board = load_board(settings.board)
    kind = board.twin.timing.kind
    first, second = (_deployed(graph, settings, data) for graph in (before, after))
    found = cost(first, settings)
    gained = found if second is first else cost(second, settings)
    return Gain(board.name, kind, "float" if first.is_float else "int8", found, gained)


def cost(graph: Graph, settings: Settings) -> Cost:
    """What `graph`, as it is deployed, costs on `settings.board`. Raises as `gain`."""
    board = load_board(settings.board)
    source = Imported(graph, Path(graph.name), "", "graph", b"")
    compiled = compile_graph(source, graph, run_passes(graph, OPTIMIZE), settings, board)
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(compiled, Path(folder)) as device:
        sample = device.infer(draw_inputs(compiled.graph, 1, settings.seed)[0])
        flash = device.image.flash
    return Cost(sample.cycles, flash.const_bytes, flash.code_bytes)


def _deployed(graph: Graph, settings: Settings, data: Dataset | None) -> Graph:
    graph = run_passes(graph, CANONICALIZE)
    can = data is not None and len(data.calibrate) > 0 and not graph.updates
    precision = settings.precision if can or not graph.is_float else "as-is"
    few = replace(settings, precision=precision, calibration_samples=min(_SAMPLES, settings.calibration_samples))
    with warnings.catch_warnings():
        # Who deploys the network is told; here nothing is kept of it.
        warnings.simplefilter("ignore", CalibrationWarning)
        warnings.simplefilter("ignore", FusionWarning)
        return quantize_model(graph, few, data)


def _change(saved: int, what: str, of: int) -> str:
    word = "fewer" if saved >= 0 else "more"
    return f"{abs(saved):,} {word} {what} ({100 * abs(saved) / of:.0f} % of {of:,})"
