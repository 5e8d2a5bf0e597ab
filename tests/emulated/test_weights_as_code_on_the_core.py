"""The assembly of kernels with weights as code, on sparse matrices, equals the interpreter; their code is as large as
they say, and as quick as it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_kernels_on_the_core import _outputs, _sources

from differential.draw_sparse import sparse_cases
from differential.programs import differences, render_cases
from midge.boards import load_board
from midge.build.image import Image
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.kernels.select import layer_of, variants
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard

BOARDS = {"armv6m_code": "cortex-m0plus", "riscv_code": "rv32imc"}
COUNT, LONG_COUNT = 8, 40


@pytest.mark.parametrize("name", BOARDS)
def test_assembly_equals_the_interpreter_and_is_as_large_as_estimated(name: str, tmp_path: Path) -> None:
    _compare(name, "gcc", tmp_path, COUNT, 160)


@pytest.mark.long
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("name", BOARDS)
def test_assembly_of_wide_layers_equals_the_interpreter(name: str, compiler: str, tmp_path: Path) -> None:
    _compare(name, compiler, tmp_path, LONG_COUNT, 2500)


def _compare(name: str, compiler: str, folder: Path, count: int, widest: int) -> None:
    board, variant = load_board(BOARDS[name]), _variant(name)
    try:
        toolchain = find_toolchain(board.core, compiler)
    except MidgeError as error:
        pytest.skip(f"needs {compiler}: {error.hint}")
    rendered = render_cases(sparse_cases(variant, count, seed=1, widest=widest), variant, folder / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, folder / "build")
    assert differences(rendered, _outputs(EmulatedBoard(image, board), rendered)) == {}
    for item in rendered:
        estimated = variant.code_bytes(layer_of(item.case.graph, 0))
        assert abs(estimated - _bytes(image, item.program.prefix)) <= 0.1 * estimated, item.case.graph.name


def _bytes(image: Image, prefix: str) -> int:
    return sum(s.bytes for s in image.functions if f"{prefix}_fully_connected" in s.name)


def _variant(name: str) -> Variant:
    return next(v for v in variants("fully_connected") if v.name == name)
