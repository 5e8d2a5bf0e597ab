"""Cores that QEMU emulates: the timer counts instructions, the stack's mark is its depth, faults are told."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from midge.boards import Board, Qemu, list_twin_cores, load_board, load_core
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import BoardError, MidgeError, MissingExtraError
from midge.run.qemu import QemuBoard

CORES = tuple(name for name in list_twin_cores() if isinstance(load_core(name).emulator, Qemu))

XTENSA = ("xtensa-lx106", "xtensa-lx6")

# Each byte that comes in is an argument of midge_t_run, whose ticks go out.
MAIN = """
#include "port/port.h"
void midge_t_run(uint8_t byte);
int main(void) {
    uint8_t byte;
    midge_port_init();
    for (;;) {
        if (midge_port_read(&byte, 1) != 0) {
            const uint32_t before = midge_port_ticks();
            midge_t_run(byte);
            const uint32_t ticks = midge_port_ticks() - before;
            const uint32_t answer[2] = {ticks, midge_port_ticks_hz()};
            midge_port_write((const uint8_t *)answer, 8);
        }
    }
}
"""

# Two instructions a time round.
LOOPS = {
    "cortex-m55": '"1: subs %0, #1\\n bne 1b" : "+r"(times) : : "cc"',
    "xtensa-lx106": '"1: addi %0, %0, -1\\n bnez %0, 1b" : "+r"(times)',
    "xtensa-lx6": '"1: addi %0, %0, -1\\n bnez %0, 1b" : "+r"(times)',
}


class Start(Protocol):
    """Builds a firmware around `void midge_t_run(uint8_t byte)` and starts it in QEMU."""

    def __call__(self, name: str, model: str) -> QemuBoard: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Skips where there is no compiler or no QEMU."""
    with ExitStack() as boards:

        def build(name: str, model: str) -> QemuBoard:
            board = load_board(name)
            sources = {"main.c": MAIN, "model.c": "#include <stdint.h>\nvoid midge_t_run(uint8_t byte);\n" + model}
            try:
                image = compile_firmware(sources, board, find_toolchain(board.core), tmp_path)
                return boards.enter_context(closing(QemuBoard(image, board, tmp_path)))
            except MissingExtraError as error:
                pytest.skip(f"needs what is not installed: {error.hint}")
            except MidgeError as error:
                if "apt install" not in error.hint:
                    raise
                pytest.skip(f"needs a compiler: {error.hint}")

        yield build


def instructions(board: QemuBoard, byte: int) -> int:
    """What one call has cost."""
    board.port.timeout = 20.0
    board.port.write(bytes([byte]))
    return board.instructions(*struct.unpack("<II", board.port.read(8)))


@pytest.mark.parametrize("name", CORES)
def test_the_timer_counts_instructions(name: str, start: Start) -> None:
    board = start(
        name,
        "void midge_t_run(uint8_t byte) { uint32_t times = byte * 1000u; __asm__ volatile(" + LOOPS[name] + "); }",
    )
    counts = {byte: instructions(board, byte) for byte in (1, 2, 7, 200)}
    assert [counts[byte] - counts[1] for byte in (2, 7, 200)] == [2_000, 12_000, 398_000]
    assert 2_000 < counts[1] < 2_040


@pytest.mark.parametrize("name", CORES)
def test_the_stack_mark_is_as_deep_as_the_stack_was(name: str, start: Start) -> None:
    board = start(
        name,
        """
        static void touch(volatile uint8_t *from, int bytes) { for (int i = 0; i < bytes; i++) { from[i] = 1; } }
        static __attribute__((noinline)) void shallow(void) { volatile uint8_t here[40]; touch(here, 40); }
        static __attribute__((noinline)) void deep(void) { volatile uint8_t here[4000]; touch(here, 4000); }
        void midge_t_run(uint8_t byte) { if (byte != 0) { deep(); } else { shallow(); } }
        """,
    )
    instructions(board, 0)
    shallow = board.stack_high_water_bytes()
    instructions(board, 1)
    deep = board.stack_high_water_bytes()
    assert 40 < shallow < 400
    assert shallow + 3960 - 64 <= deep <= shallow + 3960 + 64


@pytest.mark.parametrize("name", CORES)
def test_a_core_that_faults_is_known_to_have_stopped(name: str, start: Start) -> None:
    board = start(name, "void midge_t_run(uint8_t byte) { if (byte == 9) { __builtin_trap(); } }")
    instructions(board, 1)
    assert board.fault() is None
    board.port.timeout = 0.5
    board.port.write(b"\x09")
    assert board.port.read(1) == b""
    fault = board.fault()
    assert fault is not None
    assert "the core stopped" in str(fault)


@pytest.mark.parametrize("name", XTENSA)
def test_a_core_without_unaligned_loads_stops_at_one(name: str, start: Start) -> None:
    board = start(
        name,
        "static uint8_t bytes[8];\n"
        "void midge_t_run(uint8_t byte) { bytes[0] = (uint8_t)*(volatile uint32_t *)(uintptr_t)(bytes + byte); }",
    )
    instructions(board, 4)
    board.port.write(b"\x01")
    time.sleep(0.3)
    assert board.fault() is not None


ARITHMETIC = """
static uint64_t state = 1;
static uint64_t draw(void) {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return state >> (state & 63u);
}
static void check(int right) { if (!right) { __builtin_trap(); } }
static void try(uint64_t a, uint64_t b) {
    uint64_t sum = 0;
    for (int i = 0; i < 64; i++) { sum += (b >> i & 1u) != 0 ? a << i : 0u; }
    check(a * b == sum);
    if (b != 0) { check(a / b * b + a % b == a && a % b < b); }
    const uint32_t c = (uint32_t)a, d = (uint32_t)b;
    if (d != 0) { check(c / d * d + c % d == c && c % d < d); }
    const int64_t e = (int64_t)(a >> 1) - (int64_t)(b >> 2), f = (int64_t)d - (int64_t)(c >> 1);
    if (f != 0) { check(e / f * f + e % f == e && (e % f == 0 || (e % f < 0) == (e < 0))); }
    const int32_t g = (int32_t)(c >> 1) - (int32_t)(d >> 1), h = (int32_t)(d >> 2) - (int32_t)(c >> 3);
    if (h != 0) { check(g / h * h + g % h == g && (g % h == 0 || (g % h < 0) == (g < 0))); }
}
void midge_t_run(uint8_t byte) {
    state = byte;
    for (int i = 0; i < 300; i++) { try(draw(), draw()); }
    try(UINT64_MAX, UINT64_MAX); try(UINT64_MAX, 1); try(0, 5); try(7, 0);
}
"""


@pytest.mark.parametrize("name", XTENSA)
def test_the_arithmetic_that_an_lx106_lacks_is_right(name: str, start: Start) -> None:
    board = start(name, ARITHMETIC)
    assert instructions(board, 1) > 100_000
    assert instructions(board, 77) > 100_000
    assert board.fault() is None


# Sums of products, each multiplied while the next factor is loaded in its place. Encoded, because the LX106's assembler
# knows none of it.
MAC16 = """
static const int32_t first[] = {0, 3, -5, 7, 11, -13, 17, 0}, second[] = {0, 19, 23, -29, 31, 37, 41, 0};
static const int16_t sums_of_pairs[] = {0, 57 - 115, -58 - 203 + 341, 80 - 481 + 697};
void midge_t_run(uint8_t byte) {
    register const int32_t *one __asm__("a8") = first, *two __asm__("a9") = second;
    register int32_t sum __asm__("a10") = 0, times __asm__("a11") = byte;
    __asm__ volatile(
        ".byte 0xa0,0x10,0x13, 0xa0,0x11,0x13 \\n" /* wsr.acclo a10; wsr.acchi a10 */
        ".byte 0x04,0x08,0x80, 0x04,0x29,0x80 \\n" /* ldinc m0, a8; ldinc m2, a9 */
        ".byte 0x76,0x8b,0x0b \\n"                 /* loop a11, to 15 bytes from here */
        ".byte 0x04,0x08,0x08, 0x04,0x29,0x80 \\n" /* mula.dd.ll.ldinc m0, a8, m0, m2; ldinc m2, a9 */
        ".byte 0x04,0x08,0x08, 0x04,0x29,0x80 \\n" /* once more */
        ".byte 0xa0,0x10,0x03"                     /* rsr.acclo a10 */
        : "+r"(one), "+r"(two), "+r"(sum), "+r"(times) : : "memory");
    if (sum != sums_of_pairs[byte]) { __builtin_trap(); }
}
"""


def test_multiplies_read_what_was_loaded_just_before(start: Start) -> None:
    board = start("xtensa-lx6", MAC16)
    for pairs in (1, 2, 3):
        instructions(board, pairs)
    assert board.fault() is None


def test_without_single_steps_the_same_products_are_wrong(start: Start, tmp_path: Path) -> None:
    image = start("xtensa-lx6", MAC16).image
    with closing(QemuBoard(image, _other(load_board("xtensa-lx6"), single_step=False), tmp_path)) as hasty:
        hasty.port.timeout = 1.0
        hasty.port.write(b"\x03")
        if hasty.port.read(8):
            pytest.skip("this QEMU needs no single steps")
        assert hasty.fault() is not None


def _other(board: Board, **changes: object) -> Board:
    emulator = msgspec.structs.replace(board.core.emulator, **changes)
    return msgspec.structs.replace(board, core=msgspec.structs.replace(board.core, emulator=emulator))


def test_a_qemu_that_is_not_there_is_an_error_with_the_package(start: Start, tmp_path: Path) -> None:
    image = start("cortex-m55", "void midge_t_run(uint8_t byte) { (void)byte; }").image
    with pytest.raises(MissingExtraError, match="apt install qemu-system-arm"):
        QemuBoard(image, _other(load_board("cortex-m55"), command="qemu-system-none"), tmp_path)
    with pytest.raises(BoardError, match="not emulated by QEMU"):
        QemuBoard(image, load_board("cortex-m33"), tmp_path)
