"""The assembly of the kernels for RV32IM, on layers of realistic sizes, equals the interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from differential.draw import mismatches
from differential.draw_scalar import RISCV_VARIANTS, scalar_cases
from differential.programs import render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard

COUNTS = {("gcc", "speed"): 20, ("gcc", "size"): 10, ("zig", "speed"): 10}


@pytest.mark.parametrize(("compiler", "optimize"), COUNTS)
@pytest.mark.parametrize("variant", RISCV_VARIANTS, ids=[f"{v.op}-{v.name}" for v in RISCV_VARIANTS])
def test_assembly_equals_the_interpreter(
    variant: Variant, compiler: str, optimize: Literal["speed", "size"], tmp_path: Path
) -> None:
    board = load_board("rv32imc")
    try:
        toolchain = find_toolchain(board.core, compiler)
    except MidgeError as error:
        pytest.skip(f"needs {compiler}: {error.hint}")
    rendered = render_cases(scalar_cases(variant, COUNTS[compiler, optimize], seed=1), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize=optimize)
    wrong = {}
    for item, found in zip(rendered, _outputs(EmulatedBoard(image, board), rendered), strict=True):
        for value, expected in zip(found, item.case.evaluate(), strict=True):
            if count := mismatches(value, expected):
                wrong[item.case.graph.name] = f"{count} of {value.size} values: {item.case.op}"
    assert not wrong
