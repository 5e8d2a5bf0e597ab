"""Kernels for zeros in vectors of four channels on the other cores that have them: assembly on drawn layers equals the
interpreter. One firmware for each core."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from differential.draw_dense import DRAWS, fitting_cases
from differential.programs import differences, render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import Qemu, load_board
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import MidgeError
from midge.kernels.select import variants
from midge.run.emulator import EmulatedBoard
from midge.run.qemu import QemuBoard
from thoroughness import draws

pytestmark = pytest.mark.thorough

CORES = ("cortex-m7", "cortex-m33", "cortex-m55")
VARIANTS = [v for kind, name in DRAWS if "sparse" in name for v in variants(kind) if v.name == name]
COUNT = draws(3, 30)
_READ_SECONDS = 60.0


@pytest.mark.parametrize("core", CORES)
def test_kernels_for_zeros_equal_the_interpreter(core: str, tmp_path: Path) -> None:
    board = load_board(core)
    rendered = []
    for variant in VARIANTS:
        assert variant.runs_on(board.core)
        rendered += render_cases(
            fitting_cases(variant, COUNT, seed=3), variant, tmp_path / f"{variant.op}-{variant.name}"
        )
    try:
        image = compile_firmware(_sources(rendered), board, find_toolchain(board.core), tmp_path / "build")
        qemu = isinstance(board.core.emulator, Qemu)
        with closing(QemuBoard(image, board, tmp_path)) if qemu else nullcontext() as running:
            if running is not None:
                running.port.timeout = _READ_SECONDS
            line = EmulatedBoard(image, board) if running is None else running.port
            found = _outputs(line, rendered)  # type: ignore[arg-type]
    except MidgeError as error:
        if "apt install" not in error.hint and "pip install" not in error.hint:
            raise
        pytest.skip(f"needs what is not installed: {error.hint}")
    assert differences(rendered, found) == {}
