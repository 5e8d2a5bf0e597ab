"""Winograd's convolution on cores without SIMD: the assembly equals the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from differential.draw_scalar import WINOGRAD, scalar_cases
from differential.programs import differences, render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.run.emulator import EmulatedBoard

CORES = {"rv32imc": "riscv_winograd", "cortex-m3": "armv7m_winograd", "cortex-m0plus": "armv6m_winograd"}
BUILDS = [("gcc", "speed", 8), ("gcc", "size", 6), ("zig", "speed", 6)]


# Two layers by each compiler are in test_kernels_on_the_core and test_kernels_on_other_cores.
@pytest.mark.long
@pytest.mark.parametrize(("compiler", "optimize", "count"), BUILDS)
@pytest.mark.parametrize("core", CORES)
def test_assembly_equals_the_interpreter(
    core: str, compiler: str, optimize: Literal["speed", "size"], count: int, tmp_path: Path
) -> None:
    board, variant = load_board(core), WINOGRAD[CORES[core]]
    try:
        toolchain = find_toolchain(board.core, compiler)
    except MidgeError as error:
        pytest.skip(f"needs {compiler}: {error.hint}")
    rendered = render_cases(scalar_cases(variant, count, seed=1), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize=optimize)
    assert differences(rendered, _outputs(EmulatedBoard(image, board), rendered)) == {}
