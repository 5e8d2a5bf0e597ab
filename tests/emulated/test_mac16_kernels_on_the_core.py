"""The assembly of the kernels for MAC16, on layers of realistic sizes, equals the interpreter on QEMU's de212."""

from __future__ import annotations

import re
import struct
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from compilers import needed_toolchain
from differential.draw_scalar import MAC16_VARIANTS, long_rows, pointwise_64, scalar_cases
from differential.programs import differences, render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import Board, load_board
from midge.build.image import Image
from midge.build.toolchain import Toolchain, compile_firmware
from midge.errors import MissingExtraError
from midge.kernels.select import variants
from midge.kernels.variant import Variant
from midge.run.qemu import QemuBoard

COUNTS: dict[Literal["speed", "size"], int] = {"speed": 12, "size": 5}
BOARD = "xtensa-lx6"
_READ_SECONDS = 60.0


@pytest.fixture
def toolchain() -> Toolchain:
    """Debian's for the LX106."""
    return needed_toolchain(load_board(BOARD).core, "gcc")


@pytest.mark.parametrize("optimize", COUNTS)
@pytest.mark.parametrize("variant", MAC16_VARIANTS, ids=[f"{v.op}-{v.name}" for v in MAC16_VARIANTS])
def test_assembly_equals_the_interpreter(
    variant: Variant, optimize: Literal["speed", "size"], toolchain: Toolchain, tmp_path: Path
) -> None:
    rendered = render_cases(scalar_cases(variant, COUNTS[optimize], seed=1), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), load_board(BOARD), toolchain, tmp_path / "build", optimize=optimize)
    with closing(_started(image, load_board(BOARD), tmp_path)) as qemu:
        assert differences(rendered, _outputs(qemu.port, rendered)) == {}  # type: ignore[arg-type]


def test_rows_of_any_length_are_done(toolchain: Toolchain, tmp_path: Path) -> None:
    board, (variant,) = load_board(BOARD), [v for v in variants("fully_connected") if v.name == "mac16_rows"]
    rendered = render_cases(long_rows(4), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build")
    with closing(_started(image, board, tmp_path)) as qemu:
        assert differences(rendered, _outputs(qemu.port, rendered)) == {}  # type: ignore[arg-type]


def test_a_pointwise_layer_of_64_channels_takes_at_most_1_6_instructions_per_product(
    toolchain: Toolchain, tmp_path: Path
) -> None:
    board, (variant,) = load_board(BOARD), [v for v in variants("conv2d") if v.name == "mac16_pixels"]
    rendered = render_cases([pointwise_64()], variant, tmp_path / "cases")
    sources = {**_sources(rendered), "main.c": _timed(_sources(rendered)["main.c"])}
    image = compile_firmware(sources, board, toolchain, tmp_path / "build", optimize="speed")
    with closing(_started(image, board, tmp_path)) as qemu:
        assert differences(rendered, _outputs(qemu.port, rendered)) == {}  # type: ignore[arg-type]
        instructions = qemu.instructions(*struct.unpack("<2I", qemu.port.read(8)))
    # Reading the timer twice takes some ten.
    assert rendered[0].program.macs < instructions <= 1.6 * rendered[0].program.macs


def _timed(main: str) -> str:
    """The same, with the ticks that running takes and those of a second behind the outputs."""
    timed = re.sub(
        r"(\w+_run\(\);)",
        r"const uint32_t before = midge_port_ticks(); \1 "
        r"const uint32_t ticks[2] = {midge_port_ticks() - before, midge_port_ticks_hz()};",
        main,
    )
    return timed.replace("for (;;)", "midge_port_write((const uint8_t *)ticks, 8);\nfor (;;)")


def _started(image: Image, board: Board, folder: Path) -> QemuBoard:
    try:
        qemu = QemuBoard(image, board, folder)
    except MissingExtraError as error:
        pytest.skip(f"needs QEMU: {error.hint}")
    qemu.port.timeout = _READ_SECONDS
    return qemu
