"""A program that uses much of a core, and QEMU, which is another emulator altogether, as the witness of what it ran."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

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


def trace(command: Sequence[str], elf: Path, log: Path) -> list[int]:
    """The address of every instruction that QEMU (`command`: with the machine) executes, in order."""
    quiet = ["-display", "none", "-monitor", "none", "-serial", "none"]
    tracing = ["-d", "exec,nochain", "-D", str(log), "-kernel", str(elf)]
    # One instruction per block: the first spelling up to QEMU 8, the second from 8.1 on.
    for one_each in (["-singlestep"], ["-accel", "tcg,one-insn-per-tb=on"]):
        done = subprocess.run([*command, *quiet, *one_each, *tracing], timeout=120, capture_output=True)
        if done.returncode == 0:
            return [int(found, 16) for found in re.findall(r"\[[0-9a-f]+/([0-9a-f]+)/", log.read_text())]
    pytest.fail(f"QEMU did not run: {done.stderr.decode(errors='replace')}")


def instructions_of_the_call(executed: Sequence[int], function: int) -> int:
    """How many instructions the first call of the function at that address took, to its return."""
    entry = executed.index(function)
    call = executed[entry - 1]
    return next(i for i in range(entry, len(executed)) if executed[i] in (call + 2, call + 4)) - entry
