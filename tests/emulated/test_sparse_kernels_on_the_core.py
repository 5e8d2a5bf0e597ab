"""Kernels that leave zeros out, on sparse matrices, equal the interpreter on their cores; those with weights as code
are as large as they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_kernels_on_the_core import _outputs, _sources

from compilers import needed_toolchain
from differential.draw_sparse import VARIANTS, sparse_cases
from differential.programs import differences, render_cases
from midge.boards import Board, load_board
from midge.build.image import Image
from midge.build.toolchain import compile_firmware
from midge.errors import MidgeError
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner


@dataclass(frozen=True)
class _Core:
    """Where a variant runs, with which compilers, and the layers that fit there all at once: how many, how wide."""

    board: str
    compilers: tuple[str, ...] = ("gcc", "zig")
    count: int = 40
    widest: int = 2500


CORES = {
    "armv6m_code": _Core("cortex-m0plus"),
    "riscv_code": _Core("rv32imc"),
    "scalar_nonzeros": _Core("cortex-m0plus"),
    "avr_code": _Core("mega2560", ("gcc",), 12, 500),
    "avr_nonzeros": _Core("mega2560", ("gcc",), 12, 500),
}
COUNT, WIDEST = 6, 100
IDS = [f"{v.op}-{v.name}" for v in VARIANTS]
LONG = [(v, compiler) for v in VARIANTS for compiler in CORES[v.name].compilers]


def test_every_variant_for_sparse_matrices_has_a_core() -> None:
    assert {v.name for v in VARIANTS} == CORES.keys()


@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_kernels_equal_the_interpreter_and_are_as_large_as_estimated(variant: Variant, tmp_path: Path) -> None:
    _compare(variant, "gcc", tmp_path, COUNT, WIDEST)


@pytest.mark.long
@pytest.mark.parametrize(("variant", "compiler"), LONG, ids=[f"{v.op}-{v.name}-{compiler}" for v, compiler in LONG])
def test_kernels_of_wide_layers_equal_the_interpreter(variant: Variant, compiler: str, tmp_path: Path) -> None:
    core = CORES[variant.name]
    widest = core.widest if variant.op == "fully_connected" else core.widest // 10
    _compare(variant, compiler, tmp_path, core.count, widest)


def _compare(variant: Variant, compiler: str, folder: Path, count: int, widest: int) -> None:
    board = load_board(CORES[variant.name].board)
    toolchain = needed_toolchain(board.core, compiler)
    rendered = render_cases(sparse_cases(variant, count, seed=1, widest=widest), variant, folder / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, folder / "build")
    with _running(image, board) as line:
        assert differences(rendered, _outputs(line, rendered)) == {}
    for item in rendered if variant.name.endswith("_code") else ():
        layer = layer_of(item.case.graph, 0)
        taken = sum(s.bytes for s in image.functions if f"{item.program.prefix}_{variant.op}" in s.name)
        # A table has no name of its own.
        taken += len(variant.bind(layer).params.get("steps", ()))  # type: ignore[arg-type]
        estimated = variant.code_bytes(layer)
        assert abs(estimated - taken) <= 0.1 * taken, f"{item.case.graph.name}: {taken}, not {estimated}"


@contextmanager
def _running(image: Image, board: Board) -> Iterator[EmulatedBoard]:
    if not board.core.address_space:
        yield EmulatedBoard(image, board)
        return
    try:
        find_runner()
    except MidgeError as error:
        pytest.skip(f"needs simavr: {error.hint}")
    simulated = SimavrBoard(image, board)
    try:
        yield simulated  # type: ignore[misc]
    finally:
        simulated.close()
