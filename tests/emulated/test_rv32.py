"""The emulated RISC-V core: instruction counts against counts made by hand and against QEMU, its line, its faults."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from qemu_witness import PROGRAM, instructions_of_the_call, trace
from small_firmware import Boot, choice

from compilers import needed_toolchain
from midge.boards import Qemu, load_board
from midge.build.toolchain import Toolchain
from midge.data import draw_inputs, load_data
from midge.errors import DeviceFaultError
from midge.importers import import_model
from midge.pipeline import compile_model
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.settings import Settings

BOARD = load_board("rv32imc")
QEMU_CPU = ("-cpu", "rv32,a=off,f=off,d=off", "-bios", "none")
DIGITS = Path(__file__).parents[2] / "examples" / "digits" / "digits"

# A write to the test device of QEMU's `virt` ends QEMU; here is no memory at its address.
MAIN = """
#include <stdint.h>
void midge_t_run(uint8_t byte);
int main(void) {
    midge_t_run(7);
    *(volatile uint32_t *)0x100000 = 0x5555;
    for (;;) { }
}
"""

COUNTED = {
    "a straight run of short and long instructions": ("addi a0, x0, 1\n c.addi a0, 1\n lui a1, 0x12345\n ret", 4),
    "a loop": ("c.li a0, 10\n 1: c.addi a0, -1\n bnez a0, 1b\n ret", 1 + 20 + 1),
    "a branch over a long instruction": ("c.li a0, 0\n beqz a0, 1f\n lui a1, 0x12345\n 1: ret", 3),
    "multiplication and division": ("li a0, 7\n mul a1, a0, a0\n div a1, a1, a0\n remu a1, a1, a0\n ret", 5),
    "more than the engine translates at once": (".rept 3000\n c.addi a0, 1\n .endr\n ret", 3001),
    "more than one page, with long instructions across its edge": (
        "c.nop\n .rept 1500\n c.addi a0, 1\n lui a1, 0x12345\n .endr\n ret",
        3002,
    ),
}

FAULTS = {
    "a read of nothing": (
        "(void)*(volatile int *)(uintptr_t)(16 + zero)",
        r"read of 0x00000010 where there is no memory, in FUNCTION\+0x",
    ),
    "a write to flash": ("*(volatile int *)0x20000100 = 1", r"write to flash at 0x20000100, in FUNCTION\+0x"),
    "a write past the RAM": ("*(volatile int *)0x80100000 = 1", r"write to 0x80100000 where there is no memory"),
    "a jump into RAM": ("((void (*)(void))0x80000010)()", r"jump to 0x80000010, which is data, .*come from FUNCTION"),
    "a jump to nowhere": ("((void (*)(void))0x30000000)()", r"jump to 0x30000000 where .*come from FUNCTION"),
    "a trap": ("__builtin_trap()", r"(undefined|breakpoint) instruction.*, in FUNCTION\+0x"),
    "an environment call": ('__asm__ volatile("ecall")', r"environment call .*, in FUNCTION\+0x"),
    "an unknown register": ("(void)*(volatile int *)0x40000020", r"device register 0x20, which does not exist"),
    "a stack that grows": ("midge_t_deeper(&zero)", r"stack overflow: write to 0x7fff.*, in midge_t_deeper"),
    "an endless loop": ("for (;;) { zero++; }", r"no end within 3000000 cycles"),
}


@pytest.fixture(params=["gcc", "zig"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    """Each compiler for the core that is there."""
    return needed_toolchain(BOARD.core, request.param)


def assembly(body: str) -> str:
    """The function NAME in assembler."""
    lines = "\n".join(f'"{line.strip()}\\n"' for line in body.strip().splitlines())
    return f"__attribute__((naked, aligned(4), noinline)) void NAME(void) {{ __asm__ volatile({lines}); }}"


def test_instructions_equal_a_count_by_hand(boot: Boot) -> None:
    board = boot(choice([assembly(body) for body, _ in COUNTED.values()]), board=BOARD)
    for number, (case, (_, instructions)) in enumerate(COUNTED.items()):
        board.watch(f"midge_t_case_{number}")
        board.write(bytes([number] * 3))
        assert board.read(3) == bytes([number] * 3)
        costs = [call.cost for call in board.calls(f"midge_t_case_{number}")]
        assert [cost.instructions for cost in costs] == [instructions] * 3, case


def test_a_run_counts_the_same_however_the_bytes_come_in(boot: Boot) -> None:
    board = boot(
        "volatile int x; void midge_t_run(uint8_t byte) { (void)byte; for (int i = 0; i < 100; i++) x = x * 3 + i; }",
        board=BOARD,
    )
    board.write(b"abcd")
    together = board.read(4)
    first = board.calls("midge_t_run")
    board.reset()
    apart = b""
    for byte in b"abcd":
        board.write(bytes([byte]))
        apart += board.read(100)
    assert together == apart == b"abcd"
    assert board.calls("midge_t_run") == first
    assert len({call.cost for call in first}) == 1


def test_instruction_counts_equal_those_of_qemu(boot: Boot, tmp_path: Path) -> None:
    qemu = shutil.which("qemu-system-riscv32")
    if qemu is None:
        pytest.skip("needs qemu-system-riscv32: sudo apt install qemu-system-misc")
    # The memory map of QEMU's `virt`: RAM, where it starts, for both memories.
    memory = msgspec.structs.replace(BOARD.memory, flash_address=0x80000000, ram_address=0x81000000)
    board = boot(PROGRAM, MAIN, msgspec.structs.replace(BOARD, memory=memory))
    with pytest.raises(DeviceFaultError, match="write to 0x00100000 where there is no memory"):
        board.read(1)
    (call,) = board.calls("midge_t_run")
    executed = trace([qemu, "-M", "virt", *QEMU_CPU], board.image.path, tmp_path / "trace.log")
    counted = instructions_of_the_call(executed, board.image.symbol("midge_t_run").address)
    assert call.cost.instructions == counted > 100_000


def test_a_network_on_qemu_gives_the_same_outputs_for_as_many_instructions(tmp_path: Path) -> None:
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("needs qemu-system-riscv32: sudo apt install qemu-system-misc")
    imported = import_model(DIGITS.with_suffix(".tflite"))
    data = load_data(DIGITS.with_suffix(".npz"), imported.graph)
    compiled = compile_model(imported, Settings(board="rv32imc"), data)
    virt = Qemu(
        command="qemu-system-riscv32", machine="virt", package="qemu-system-misc", icount_shift=0, arguments=QEMU_CPU
    )
    core = msgspec.structs.replace(BOARD.core, line="ns16550", emulator=virt)
    memory = msgspec.structs.replace(
        BOARD.memory, flash_address=0x80000000, ram_address=0x81000000, device_address=0x10000000
    )
    other = replace(compiled, board=msgspec.structs.replace(BOARD, core=core, memory=memory))
    inputs = draw_inputs(compiled.graph, 3, seed=0)
    with emulated_device(compiled, tmp_path / "unicorn") as ours, emulated_device(other, tmp_path / "qemu") as theirs:
        for sample in inputs:
            found, again = ours.infer(sample), theirs.infer(sample)
            expected = Interpreter(compiled.graph).infer(sample).outputs
            for value, same, right in zip(found.outputs, again.outputs, expected, strict=True):
                np.testing.assert_array_equal(value, right)
                np.testing.assert_array_equal(same, right)
            # The firmwares differ in how they read the timer, before and after each layer.
            assert abs(again.instructions - found.instructions) < 10 * (1 + len(compiled.program.calls))


def test_the_stack_mark_is_as_deep_as_the_stack_was(boot: Boot) -> None:
    depths = [10, 500]
    dig = "mv a0, sp\n li a1, {}\n 1: addi a0, a0, -4\n sw a1, 0(a0)\n addi a1, a1, -1\n bnez a1, 1b\n ret"
    board = boot(choice([assembly(dig.format(words)) for words in depths]), board=BOARD)
    board.read(1)
    mark = board.stack_high_water_bytes()
    for number, words in enumerate(depths):
        board.write(bytes([number]))
        board.read(1)
        before, mark = mark, board.stack_high_water_bytes()
        assert words * 4 < mark <= max(before, words * 4 + 96)


DEEPER = """
static volatile int zero, limit = 1000000;
static __attribute__((noinline)) int midge_t_deeper(volatile int *up) {
    volatile int here[32]; here[0] = *up + 1;
    if (here[0] < limit) { zero = midge_t_deeper(here) + here[1]; }
    return zero;
}
"""


def test_a_fault_names_what_happened_and_the_function(boot: Boot) -> None:
    idle = 'for (;;) { __asm__ volatile(""); }'
    bodies = [f"void NAME(void) {{ {statement}; {idle} }}" for statement, _ in FAULTS.values()]
    board = boot(DEEPER + choice(bodies), board=BOARD, deadline=3_000_000)
    for number, (_, message) in enumerate(FAULTS.values()):
        board.reset()
        board.write(bytes([number]))
        with pytest.raises(DeviceFaultError, match=message.replace("FUNCTION", f"midge_t_(case_{number}|run)")):
            board.read(1)
    board.reset()
    assert board.read(1) == b""
