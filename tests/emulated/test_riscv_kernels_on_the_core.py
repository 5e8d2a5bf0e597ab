"""The assembly of the kernels for RV32IM, on layers of realistic sizes, equals the interpreter."""

from __future__ import annotations

import dataclasses
import shutil
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from compilers import needed_toolchain
from differential.draw_scalar import RISCV_VARIANTS, pointwise_64, scalar_cases
from differential.programs import differences, render_cases
from emulated.test_kernels_on_the_core import _outputs, _sources
from midge.boards import Board, Qemu, load_board
from midge.build.toolchain import Toolchain, compile_firmware
from midge.kernels.select import variants
from midge.kernels.variant import Variant
from midge.run.emulator import EmulatedBoard
from midge.run.qemu import QemuBoard

# `max rd, rs1, zero` of Zbb.
MAX_MASK, MAX_OF_ZERO = 0xFFF0707F, 0x0A006033
COUNTS = {("gcc", "speed"): 12, ("gcc", "size"): 6, ("zig", "speed"): 6}


@pytest.mark.parametrize(("compiler", "optimize"), COUNTS)
@pytest.mark.parametrize("variant", RISCV_VARIANTS, ids=[f"{v.op}-{v.name}" for v in RISCV_VARIANTS])
def test_assembly_equals_the_interpreter(
    variant: Variant, compiler: str, optimize: Literal["speed", "size"], tmp_path: Path
) -> None:
    board = load_board("rv32imc")
    toolchain = needed_toolchain(board.core, compiler)
    rendered = render_cases(scalar_cases(variant, COUNTS[compiler, optimize], seed=1), variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize=optimize)
    assert differences(rendered, _outputs(EmulatedBoard(image, board), rendered)) == {}


def test_a_pointwise_layer_of_64_channels_takes_at_most_2_6_instructions_per_product(tmp_path: Path) -> None:
    board, (variant,) = load_board("rv32imc"), [v for v in variants("conv2d") if v.name == "riscv_quads"]
    toolchain = needed_toolchain(board.core, "gcc")
    rendered = render_cases([pointwise_64()], variant, tmp_path / "cases")
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build", optimize="speed")
    emulated = EmulatedBoard(image, board)
    kernel = f"{rendered[0].program.prefix}_conv2d_riscv_quads_0"
    emulated.watch(kernel)
    assert differences(rendered, _outputs(emulated, rendered)) == {}
    (call,) = emulated.calls(kernel)
    assert call.cost.instructions <= 2.6 * rendered[0].program.macs


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_bit_manipulation_is_used_where_the_core_has_it_and_changes_nothing(compiler: str, tmp_path: Path) -> None:
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("needs qemu-system-riscv32: sudo apt install qemu-system-misc")
    board = _virt(load_board("rv32imc"))
    toolchain = _with_bit_manipulation(needed_toolchain(board.core, compiler))
    rendered = []
    for variant in {v.name: v for v in RISCV_VARIANTS}.values():
        rendered += render_cases(scalar_cases(variant, 4, seed=2), variant, tmp_path / "cases" / variant.op)
    image = compile_firmware(_sources(rendered), board, toolchain, tmp_path / "build")
    with closing(QemuBoard(image, board, tmp_path)) as qemu:
        qemu.port.timeout = 60.0
        assert differences(rendered, _outputs(qemu.port, rendered)) == {}  # type: ignore[arg-type]
    code = image.path.read_bytes()
    words = (int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code) - 3, 2))
    assert any(word & MAX_MASK == MAX_OF_ZERO for word in words)


def _virt(board: Board) -> Board:
    """The board as QEMU's `virt`, whose core has Zba and Zbb."""
    arguments = ("-cpu", "rv32,a=off,f=off,d=off,zba=on,zbb=on", "-bios", "none")
    virt = Qemu(
        command="qemu-system-riscv32", machine="virt", package="qemu-system-misc", icount_shift=0, arguments=arguments
    )
    memory = replace(board.memory, flash_address=0x80000000, ram_address=0x81000000, device_address=0x10000000)
    return replace(board, core=replace(board.core, line="ns16550", emulator=virt), memory=memory)


def _with_bit_manipulation(toolchain: Toolchain) -> Toolchain:
    """Debian's GCC finds no C library for a core with Zba and Zbb: there only the assembly has them."""
    more = {
        "-march=rv32imc": ("-march=rv32imc", "-D__riscv_zbb=1", "-Wa,-march=rv32imc_zba_zbb", "-mno-riscv-attribute"),
        "-mcpu=generic_rv32+m+c": ("-mcpu=generic_rv32+m+c+zba+zbb",),
    }
    flags = tuple(new for flag in toolchain.flags for new in more.get(flag, (flag,)))
    return dataclasses.replace(toolchain, flags=flags)
