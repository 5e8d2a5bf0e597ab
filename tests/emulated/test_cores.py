"""Every generic Cortex-M emulated in process: its firmware starts, and counts as its manual does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_firmware import ECHO_MAIN

from compilers import needed_toolchain
from midge.boards import list_twin_cores, load_board, load_core
from midge.build.toolchain import compile_firmware
from midge.errors import DeviceFaultError
from midge.run.emulator import EmulatedBoard

GENERIC = ("cortex-m0plus", "cortex-m3", "cortex-m33", "cortex-m4f", "cortex-m7")
UNALIGNED = tuple(name for name in GENERIC if "unaligned" in load_core(name).features)

Start = Callable[[str, str], EmulatedBoard]


@pytest.fixture(params=["gcc", "zig"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Builds `void midge_t_run(uint8_t byte)` for a board with each compiler that is there, and starts it."""

    def build(board_name: str, model: str) -> EmulatedBoard:
        board = load_board(board_name)
        toolchain = needed_toolchain(board.core, request.param)
        sources = {"main.c": ECHO_MAIN, "model.c": "#include <stdint.h>\nvoid midge_t_run(uint8_t byte);\n" + model}
        emulated = EmulatedBoard(compile_firmware(sources, board, toolchain, tmp_path / board_name), board)
        emulated.watch("midge_t_run")
        return emulated

    return build


def assembly(body: str) -> str:
    """`midge_t_run` in assembler, aligned to a word."""
    lines = "\n".join(f'"{line.strip()}\\n"' for line in (".syntax unified", *body.strip().splitlines()))
    head = "__attribute__((naked, aligned(4))) void midge_t_run(__attribute__((unused)) uint8_t byte)"
    return f"{head} {{ __asm__ volatile({lines}); }}"


def run(board: EmulatedBoard, byte: int = 0) -> tuple[int, int]:
    """Instructions and cycles of one call."""
    board.write(bytes([byte]))
    assert board.read(1) == bytes([byte])
    cost = board.calls("midge_t_run")[-1].cost
    return cost.instructions, cost.cycles


def test_there_is_a_board_without_wait_states_for_every_core() -> None:
    thumb = {name for name in list_twin_cores() if getattr(load_core(name).emulator, "instruction_set", "") == "thumb"}
    assert set(GENERIC) == thumb
    # An AVR has the boards that one can buy for it.
    for name in (name for name in list_twin_cores() if not load_core(name).address_space):
        board = load_board(name)
        assert (board.core.name, board.wait_states, board.platformio) == (name, 0, None)


@pytest.mark.parametrize("name", GENERIC)
def test_the_firmware_starts_with_its_variables_set(name: str, start: Start) -> None:
    board = start(
        name,
        """
        static volatile int32_t set = 40, cleared;
        static volatile float real = 1.5f;
        void midge_t_run(uint8_t byte) {
            const int64_t wide = (int64_t)set * byte * 100000 / 7;
            real *= (float)byte;
            cleared += (int32_t)(wide >> 3) + (int32_t)real + set % byte;
            if (cleared != 40 * 3 * 100000 / 7 / 8 + 4 + 1) { __builtin_trap(); }
        }
        """,
    )
    assert run(board, 3)[0] > 0


# Ten times round: the first pass through `movs` and nine branches taken, one not, then the return.
LOOP = "movs r0, #10\n nop\n 1: subs r0, #1\n bne 1b\n bx lr"
LOOP_CYCLES = {
    "cortex-m0plus": 2 + 10 * 1 + 9 * 2 + 1 + 2,
    "cortex-m3": 2 + 10 * 1 + 9 * 2 + 1 + 3,
    "cortex-m4f": 2 + 10 * 1 + 9 * 2 + 1 + 3,
    # The branch shares the cycle of SUBS when it is not taken.
    "cortex-m33": 2 + 10 * 1 + 9 * 2 + 0 + 3,
    # MOVS and NOP together, then with the first pass; SUBS and BNE together; the exit is mispredicted; BX alone.
    "cortex-m7": 2 + 9 * 1 + 7 + (1 + 2),
}


@pytest.mark.parametrize("name", GENERIC)
def test_a_loop_costs_what_the_core_needs_for_it(name: str, start: Start) -> None:
    assert run(start(name, assembly(LOOP))) == (23, LOOP_CYCLES[name])


# A word of the stack, read `byte` bytes further on; r0 is the byte.
MISPLACED = "sub sp, #8\n add r0, sp\n nop\n ldr r1, [r0]\n add sp, #8\n bx lr"
PENALTIES = dict.fromkeys(UNALIGNED, (0, 2, 1, 2)) | {"cortex-m7": (0, 3, 3, 3)}


@pytest.mark.parametrize("name", UNALIGNED)
def test_an_unaligned_load_costs_what_its_place_asks_for(name: str, start: Start) -> None:
    board = start(name, assembly(MISPLACED))
    aligned = run(board, 0)[1]
    assert [run(board, byte)[1] - aligned for byte in range(4)] == list(PENALTIES[name])
    assert board.unaligned_loads == 3


@pytest.mark.parametrize("name", UNALIGNED)
def test_an_unaligned_load_of_several_registers_faults(name: str, start: Start) -> None:
    board = start(name, assembly("sub sp, #8\n add r0, sp\n ldm r0, {r1, r2}\n add sp, #8\n bx lr"))
    run(board, 0)
    board.write(b"\2")
    with pytest.raises(DeviceFaultError, match=r"word-aligned address .* in midge_t_run"):
        board.read(1)


def test_a_core_without_unaligned_accesses_faults(start: Start) -> None:
    board = start("cortex-m0plus", assembly(MISPLACED))
    run(board, 0)
    board.write(b"\2")
    with pytest.raises(DeviceFaultError, match="in midge_t_run"):
        board.read(1)
