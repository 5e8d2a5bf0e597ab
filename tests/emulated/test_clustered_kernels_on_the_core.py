"""Kernels for weights of few values or low entropy on a core's own instructions equal the interpreter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from differential.draw_clustered import clustered_cases, coded_cases
from differential.programs import Rendered, differences, render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import load_board
from midge.build.toolchain import Toolchain, compile_firmware, find_toolchain
from midge.kernels.select import variants
from midge.run.emulator import EmulatedBoard

BOARD = "cortex-m0plus"
COUNT = 4
MADE = {"packed": clustered_cases, "coded": coded_cases}
OPERATORS = ("conv2d", "depthwise_conv2d", "fully_connected")


def test_indices_and_codes_equal_the_interpreter(toolchain: Toolchain, tmp_path: Path) -> None:
    board = load_board(BOARD)
    toolchain = find_toolchain(board.core, toolchain.name)
    rendered: list[Rendered] = []
    for variant in (v for kind in OPERATORS for v in variants(kind) if v.name in MADE):
        cases = MADE[variant.name](variant, COUNT)
        named = [replace(c, graph=replace(c.graph, name=f"{variant.op}_{variant.name}_{c.graph.name}")) for c in cases]
        rendered += render_cases(named, variant, tmp_path / f"{variant.op}-{variant.name}")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize="size")
    assert differences(rendered, _outputs(EmulatedBoard(image, board), rendered)) == {}
