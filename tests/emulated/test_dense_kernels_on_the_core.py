"""The assembly of the kernels for 16-bit SIMD on layers of realistic sizes equals the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from differential.draw_dense import DRAWS, fitting_cases
from differential.programs import differences, render_cases
from emulated.test_kernels_on_the_core import BOARD, _outputs, _sources
from midge.boards import load_board
from midge.build.toolchain import Toolchain, compile_firmware
from midge.kernels.select import variants
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard
from thoroughness import draws

pytestmark = pytest.mark.thorough

# Compiler, goal, and how many layers.
RUNS = [("gcc", "speed", draws(12, 40)), ("gcc", "size", draws(6, 20)), ("zig", "speed", draws(8, 40))]
VARIANTS = [v for kind, name in DRAWS for v in variants(kind) if v.name == name]


@pytest.mark.parametrize(("toolchain", "optimize", "count"), RUNS, indirect=["toolchain"])
@pytest.mark.parametrize("variant", VARIANTS, ids=[f"{v.op}-{v.name}" for v in VARIANTS])
def test_assembly_equals_the_interpreter(
    variant: Variant, toolchain: Toolchain, optimize: Literal["speed", "size"], count: int, tmp_path: Path
) -> None:
    board = load_board(BOARD)
    rendered = render_cases(fitting_cases(variant, count, seed=1), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize=optimize)
    assert differences(rendered, _outputs(EmulatedBoard(image, board), rendered)) == {}
