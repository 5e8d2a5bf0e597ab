"""One row of the table of accuracy: a network quantized, its answers beside those of the float network."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_mixed import half_the_constants
from accuracy_tasks import MIXED, PLAIN, VARIANTS, Task

from midge.boards import load_board
from midge.cli.talk import show_progress
from midge.data import Dataset, load_data
from midge.importers import Imported, import_model
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.measure.paired import paired, which_are_right
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.pipeline import compile_graph, run_model
from midge.settings import Settings
from midge.tune.ladder import Ascent, climb

# Where constants are counted and values compared.
BOARD = "nucleo_l4r5zi"
ON_THE_CORE = 3
# As many as the smallest data set has, so that rows can be compared.
CALIBRATION = 100
# Packed weights take the least flash for this goal.
PLAIN_SETTINGS = Settings(board=BOARD, calibration_samples=CALIBRATION, optimize="size")


@dataclass(frozen=True, eq=False)
class Subject:
    """A float network with its data, and which samples of split 0 it gets right."""

    task: Task
    imported: Imported
    graph: Graph
    data: Dataset
    right: Array


def subject(task: Task, assets: Path) -> Subject:
    """Reads and runs the float network."""
    imported = task.model(assets)
    graph = run_passes(imported.graph, CANONICALIZE)
    data = load_data(task.data(assets), graph)
    return Subject(task, imported, graph, data, _right(graph, data))


def float_row(s: Subject) -> dict[str, Any]:
    """The float network itself."""
    return {"percent": _percent(s.right), "samples": len(s.right)}


def other_row(s: Subject, file: Path) -> dict[str, Any]:
    """An integer model of the same network that another converter made."""
    imported = import_model(file)
    graph = run_passes(imported.graph, CANONICALIZE)
    found = _on_the_core(s, imported, graph, replace(PLAIN_SETTINGS, precision="as-is"))
    return _compared(s, graph, None) | {"on_the_core": found["on_the_core"]}


def midge_row(s: Subject, variant: str) -> dict[str, Any]:
    """What midge makes of the network: every rung climbed, each with what it gained."""
    start = time.monotonic()
    if variant == MIXED:
        settings = half_the_constants(s.graph, s.data, PLAIN_SETTINGS, partial(_constant_bytes, s))
    else:
        settings = replace(PLAIN_SETTINGS, **VARIANTS[variant])
    ascent = climb(s.graph, s.data, settings, 0.0, PLAIN.get(variant, ()), to_the_top=True, progress=show_progress)
    seconds = round(time.monotonic() - start, 1)
    facts = _compared(s, ascent.graph, s.task.limits.get(variant))
    if (least := s.task.must_lose.get(variant)) is not None:
        facts |= {"must_lose": least, "met": facts["points"] > least}
    return facts | _on_the_core(s, s.imported, ascent.graph, ascent.settings) | climbed(ascent) | {"seconds": seconds}


def climbed(ascent: Ascent) -> dict[str, Any]:
    """The recipe and the rungs."""
    default = PLAIN_SETTINGS
    names = [f.name for f in fields(Settings)]
    recipe = {n: getattr(ascent.settings, n) for n in names if getattr(ascent.settings, n) != getattr(default, n)}
    return {
        "recipe": recipe,
        "tuned_on": {"samples": ascent.samples, "split": ascent.split},
        "rungs": [
            {"rung": r.rung, "kept": r.kept, "drop": round(r.score.drop, 3), "error": float(f"{r.score.error:.4g}")}
            for r in ascent.rungs
        ],
    }


def _compared(s: Subject, graph: Graph, limit: float | None) -> dict[str, Any]:
    right = _right(graph, s.data)
    lost = paired(s.right, right)
    figures = {k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(lost).items()}
    return {
        "percent": _percent(right),
        **figures,
        "limit": limit,
        "met": None if limit is None else lost.meets(limit),
    }


def _on_the_core(s: Subject, imported: Imported, graph: Graph, settings: Settings) -> dict[str, Any]:
    """Bytes of constants in the linked image, and how many values differ from the interpreter's."""
    deployed = run_passes(graph, OPTIMIZE)
    compiled = compile_graph(imported, s.graph, deployed, settings, load_board(settings.board))
    with tempfile.TemporaryDirectory(prefix="midge-accuracy-") as folder:
        report = run_model(compiled, s.data, Path(folder), ON_THE_CORE)
    return {
        "const_bytes": report.flash.const_bytes,
        "on_the_core": {"samples": report.exact.samples, "mismatches": report.exact.mismatches},
    }


def _constant_bytes(s: Subject, graph: Graph) -> int:
    deployed = run_passes(graph, OPTIMIZE)
    return compile_graph(s.imported, s.graph, deployed, PLAIN_SETTINGS, load_board(BOARD)).program.constant_bytes


def _right(graph: Graph, data: Dataset) -> Array:
    assert data.labels is not None
    columns = [data.inputs_for(tensor, data.evaluate) for tensor in graph.input_tensors]
    samples = show_progress(range(len(data.evaluate)), f"split 0: {graph.name}")
    found = [interpret(graph, [column[i] for column in columns])[0] for i in samples]
    return which_are_right(graph.output_tensors[0], found, data.labels[data.evaluate])


def _percent(right: Array) -> float:
    return round(100 * float(np.mean(right)), 3)
