"""Instruction counts of a compiled program equal those of QEMU, which is another emulator altogether."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
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

PROGRAM = """
static int8_t small[3000];
static int32_t table[200];
volatile float real;
volatile int64_t wide;
volatile int d;
static __attribute__((noinline)) int32_t saturate(int32_t x) { return x < -128 ? -128 : x > 127 ? 127 : x; }
static __attribute__((noinline)) int pick(int i) {
    switch (i % 9) {
    case 0: return d * 3;
    case 1: return d / 3;
    case 2: return d % 5;
    case 3: return d ^ 9;
    case 4: return d + 1;
    case 5: return d * d;
    case 6: return -d;
    case 7: return d << 3;
    default: return d >> 1;
    }
}
void midge_t_run(uint8_t byte) {
    d = byte;
    for (int i = 0; i < 3000; i++) small[i] = (int8_t)saturate(i * 37 % 511 - 200);
    int64_t sum = 0;
    for (int i = 0; i < 3000; i++) sum += small[i] * (int64_t)(i * 7 - 5000) >> 3;
    wide = sum;
    float s = 0;
    for (int i = 0; i < 200; i++) {
        s += (float)small[i] * 0.25f;
        if (s > 100.0f) s -= 77.0f;
        s = __builtin_sqrtf(s < 0 ? -s : s) + (float)(i / (d + 1));
    }
    real = s;
    for (int i = 0; i < 200; i++) table[i] = pick(i) + (int)(wide / (i + 1));
    for (int i = 1; i < 200; i++)
        for (int j = i; j > 0 && table[j - 1] > table[j]; j--) {
            int t = table[j]; table[j] = table[j - 1]; table[j - 1] = t;
        }
    __builtin_memcpy(small, small + 1500, 1111);
    real = __builtin_expf(real * 0.01f);
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
    trace = _trace(qemu, board.image.path, tmp_path / "trace.log")
    entry = trace.index(board.image.symbol("midge_t_run").address)
    back = trace.index(trace[entry - 1] + 4, entry)
    assert call.cost.instructions == back - entry > 100_000


def _trace(qemu: str, elf: Path, log: Path) -> list[int]:
    """The address of every instruction that QEMU executes, in order."""
    machine = ["-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "none", "-semihosting"]
    tracing = ["-d", "exec,nochain", "-D", str(log), "-kernel", str(elf)]
    # One instruction per block: the first spelling up to QEMU 8, the second from 8.1 on.
    for one_each in (["-singlestep"], ["-accel", "tcg,one-insn-per-tb=on"]):
        done = subprocess.run([qemu, *machine, *one_each, *tracing], timeout=120, capture_output=True)
        if done.returncode == 0:
            return [int(found, 16) for found in re.findall(r"\[[0-9a-f]+/([0-9a-f]+)/", log.read_text())]
    pytest.fail(f"QEMU did not run: {done.stderr.decode(errors='replace')}")
