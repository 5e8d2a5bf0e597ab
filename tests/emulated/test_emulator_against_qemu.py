"""Instruction counts of a compiled program equal those of QEMU, which is another emulator altogether."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from qemu_witness import PROGRAM, instructions_of_the_call, trace
from small_firmware import Boot

from midge.boards import load_board
from midge.errors import DeviceFaultError

# Semihosting, SYS_EXIT: what ends QEMU is a breakpoint to the other one, by when the call has been counted.
MAIN = """
#include <stdint.h>
void midge_t_run(uint8_t byte);
int main(void) {
    midge_t_run(7);
    register uint32_t operation __asm__("r0") = 0x18;
    register uint32_t reason __asm__("r1") = 0x20026;
    __asm__ volatile("bkpt 0xAB" ::"r"(operation), "r"(reason));
    for (;;) { }
}
"""


def test_instruction_counts_equal_those_of_qemu(boot: Boot, tmp_path: Path) -> None:
    qemu = shutil.which("qemu-system-arm")
    if qemu is None:
        pytest.skip("needs qemu-system-arm: sudo apt install qemu-system-arm")
    generic = load_board("cortex-m4f")
    # The memory map of QEMU's mps2-an386: code at 0.
    mps2 = msgspec.structs.replace(generic, memory=msgspec.structs.replace(generic.memory, flash_address=0))
    board = boot(PROGRAM, MAIN, mps2)
    with pytest.raises(DeviceFaultError, match="breakpoint"):
        board.read(1)
    (call,) = board.calls("midge_t_run")
    executed = trace([qemu, "-M", "mps2-an386", "-semihosting"], board.image.path, tmp_path / "trace.log")
    counted = instructions_of_the_call(executed, board.image.symbol("midge_t_run").address)
    assert call.cost.instructions == counted > 100_000
