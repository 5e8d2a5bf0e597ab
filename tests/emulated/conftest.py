"""Fixtures for the emulated core: each compiler that is there, and small firmwares through it."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_firmware import ECHO_MAIN, Boot

from compilers import needed_toolchain
from midge.boards import Board, load_board
from midge.build.toolchain import Toolchain, compile_firmware
from midge.run.emulator import DEFAULT_DEADLINE_CYCLES, EmulatedBoard


@pytest.fixture(params=["gcc", "zig"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    """Each compiler for the Cortex-M4F that is there."""
    return needed_toolchain(load_board("nucleo_l4r5zi").core, request.param)


@pytest.fixture
def boot(toolchain: Toolchain, tmp_path: Path) -> Boot:
    """Builds and starts a small firmware; see `Boot`."""

    def start(
        model: str, main: str = ECHO_MAIN, board: Board | None = None, deadline: int = DEFAULT_DEADLINE_CYCLES
    ) -> EmulatedBoard:
        board = board or load_board("nucleo_l4r5zi")
        sources = {"main.c": main, "model.c": "#include <stdint.h>\nvoid midge_t_run(uint8_t byte);\n" + model}
        image = compile_firmware(sources, board, toolchain, tmp_path)
        emulated = EmulatedBoard(image, board, deadline_cycles=deadline)
        emulated.watch("midge_t_run")
        return emulated

    return start
