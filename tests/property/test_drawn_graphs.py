"""Drawn graphs: the interpreter, the C on the host under sanitizers and the emulated core agree bit for bit.

The C is what every pass and the fastest kernels of the core make of the graph; the interpreter runs it as it was drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from differential.draw_tensors import Case, values
from differential.programs import (
    SANITIZED,
    Rendered,
    compile_files,
    run_cases,
    write_case,
    write_main,
)
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.importers import Imported
from midge.interpreter import interpret
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ir.text import graph_text
from midge.pipeline import compile_model
from midge.run.emulator import EmulatedBoard
from midge.settings import Settings
from property.drawn_graphs import FEWEST, MOST, draw_graphs

BOARD = "cortex-m4f"
IN_ONE_PROGRAM = 25


def test_100_drawn_graphs_agree(tmp_path: Path) -> None:
    agree(draw_graphs(100, 1), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("number", range(100, 120))
def test_2000_drawn_graphs_agree(number: int, tmp_path: Path) -> None:
    agree(draw_graphs(100, number), tmp_path)


def agree(graphs: Sequence[Graph], folder: Path) -> None:
    """All graphs, some at a time in one program for the host and one for the core."""
    assert all(FEWEST <= len(g.ops) <= MOST for g in graphs)
    kinds = Counter(op.kind for g in graphs for op in g.ops)
    assert len(kinds) > 40, kinds
    assert sum(len(g.outputs) > 1 for g in graphs) > len(graphs) // 2
    wrong: list[str] = []
    for first in range(0, len(graphs), IN_ONE_PROGRAM):
        wrong += disagreements(graphs[first : first + IN_ONE_PROGRAM], folder / str(first))
    assert not wrong, "\n".join(wrong[:3])


def disagreements(graphs: Sequence[Graph], folder: Path) -> list[str]:
    """What is to say of each graph whose outputs differ somewhere."""
    rendered, wanted = [], []
    for index, graph in enumerate(graphs):
        rng = np.random.default_rng(index)
        case = Case(graph, tuple(values(t, rng) for t in graph.input_tensors))
        compiled = compile_model(
            Imported(graph, Path("drawn"), "0" * 64, "tflite"), Settings(board=BOARD, precision="as-is")
        )
        rendered.append(write_case(case, compiled.program, folder / "cases", compiled.sources))
        wanted.append(interpret(graph, case.inputs))
    found = {"host": on_host(rendered, folder / "cases"), "core": on_core(rendered, folder / "build")}
    return [
        f"{item.case.graph.name} on {place}: {differing(got, want)}\n{graph_text(item.case.graph)}"
        for place, outputs in found.items()
        for item, got, want in zip(rendered, outputs, wanted, strict=True)
        if differing(got, want)
    ]


def differing(found: Sequence[Array], wanted: Sequence[Array]) -> list[str]:
    pairs = enumerate(zip(found, wanted, strict=True))
    return [f"output {i}: {int((a != b).sum())} of {b.size}" for i, (a, b) in pairs if not np.array_equal(a, b)]


def on_host(rendered: Sequence[Rendered], folder: Path) -> list[list[Array]]:
    write_main(rendered, folder)
    # Warnings are what the tests of kernels are for.
    compile_files([*SANITIZED, "-std=c11", "main.c", "cases.c", "-lm", "-o", "graphs"], folder)
    return run_cases(folder / "graphs", rendered)


def on_core(rendered: Sequence[Rendered], folder: Path) -> list[list[Array]]:
    board = load_board(BOARD)
    image = compile_firmware(_sources(rendered), board, find_toolchain(board.core), folder, optimize="size")
    return _outputs(EmulatedBoard(image, board), rendered)
