"""The stack's depth from the code: an upper bound of what painting shows, and exact for functions made to measure."""

from __future__ import annotations

from pathlib import Path

from small_firmware import Boot

from midge.build.stack import read_frames, worst_stack_bytes

DEEP = """
__attribute__((noinline)) static uint32_t sum(const volatile uint8_t *values, int count) {
    uint32_t total = 0;
    for (int i = 0; i < count; ++i) total += values[i];
    return total;
}
__attribute__((noinline)) static uint32_t middle(uint8_t byte) {
    volatile uint8_t room[200];
    for (int i = 0; i < 200; ++i) room[i] = (uint8_t)(byte + i);
    return sum(room, 200);
}
uint32_t result;
void midge_t_run(uint8_t byte) { result = middle(byte) + 1u; }
"""
RECURSIVE = """
uint32_t result;
__attribute__((noinline)) static uint32_t again(uint32_t n, volatile uint32_t *kept) {
    volatile uint32_t here = n;
    if (n == 0) return *kept;
    const uint32_t below = again(n - 1, &here);
    return below + here;
}
void midge_t_run(uint8_t byte) { volatile uint32_t start = 1; result = again(byte, &start) + start; }
"""


def test_the_bound_holds_the_buffer_and_little_more(boot: Boot, tmp_path: Path) -> None:
    board = boot(DEEP)
    board.write(b"\x01")
    assert board.read(1) == b"\x01"
    worst = worst_stack_bytes(board.image, "midge_t_run", read_frames(tmp_path))
    assert worst is not None
    assert 200 <= worst <= 300
    assert board.stack_high_water_bytes() >= 200


def test_a_function_that_recurs_has_no_bound(boot: Boot, tmp_path: Path) -> None:
    board = boot(RECURSIVE)
    assert worst_stack_bytes(board.image, "midge_t_run", read_frames(tmp_path)) is None


def test_the_compiler_says_its_frames(boot: Boot, tmp_path: Path) -> None:
    boot(DEEP)
    frames = read_frames(tmp_path)
    assert frames["middle"] >= 200
    assert frames["midge_t_run"] < 64


# A literal that reads as `blx r7`, 0x47B8 twice: data, not a call through a register.
LITERAL = """
uint32_t result;
void midge_t_run(uint8_t byte) { result = byte * 0x47B847B8u; }
"""


def test_literals_are_not_taken_for_code(boot: Boot, tmp_path: Path) -> None:
    board = boot(LITERAL)
    assert worst_stack_bytes(board.image, "midge_t_run", read_frames(tmp_path)) is not None
