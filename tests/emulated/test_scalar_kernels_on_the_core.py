"""The assembly of the kernels for cores without SIMD, on layers of realistic sizes, equals the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from compilers import needed_toolchain
from differential.draw_scalar import VARIANTS, scalar_cases
from differential.programs import differences, render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import load_board
from midge.build.toolchain import compile_firmware
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard

COUNTS: dict[tuple[str, Literal["speed", "size"]], int] = {
    ("gcc", "speed"): 12,
    ("gcc", "size"): 6,
    ("zig", "speed"): 6,
}


@pytest.mark.parametrize(("compiler", "optimize"), COUNTS)
@pytest.mark.parametrize("board_name", ["cortex-m0plus", "cortex-m3"])
@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_assembly_equals_the_interpreter(
    variant: Variant, board_name: str, compiler: str, optimize: Literal["speed", "size"], tmp_path: Path
) -> None:
    board = load_board(board_name)
    toolchain = needed_toolchain(board.core, compiler)
    rendered = render_cases(scalar_cases(variant, COUNTS[compiler, optimize], seed=1), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize=optimize)
    assert differences(rendered, _outputs(EmulatedBoard(image, board), rendered)) == {}
