"""The emulated board: its counters against counts made by hand, its line, and its faults."""

from __future__ import annotations

import pytest
from small_firmware import Boot, choice

from midge.errors import DeviceFaultError, ToolchainError

EMPTY = "void midge_t_run(uint8_t byte) { (void)byte; }"


def assembly(body: str) -> str:
    """The function NAME in assembler, aligned to a word."""
    lines = "\n".join(f'"{line.strip()}\\n"' for line in body.strip().splitlines())
    return f"__attribute__((naked, aligned(4), noinline)) void NAME(void) {{ __asm__ volatile({lines}); }}"


COUNTED = {
    # body, instructions, cycles
    "a straight run": ("movs r0, #1\n adds r0, #1\n bx lr", 3, 1 + 1 + 3),
    "a loop of one block": (
        "movs r0, #10\n nop\n 1: subs r0, #1\n bne 1b\n bx lr",
        2 + 20 + 1,
        2 + 10 * 1 + 9 * 2 + 1 + 3,
    ),
    "a branch to the middle of a word": (
        "movs r0, #10\n 1: subs r0, #1\n bne 1b\n bx lr",
        1 + 20 + 1,
        1 + 10 * 1 + 9 * 3 + 1 + 3,
    ),
    "an IT block, half of it skipped": (
        "movs r0, #1\n cmp r0, #1\n ite eq\n moveq r1, #2\n movne r1, #3\n bx lr",
        6,
        5 + 3,
    ),
    "a conditional return that returns": ("movs r0, #1\n cmp r0, #1\n it eq\n bxeq lr\n b .", 4, 3 + 3),
    "a conditional return that does not": ("movs r0, #1\n cmp r0, #2\n it eq\n bxeq lr\n bx lr", 5, 3 + 1 + 3),
    "loads behind each other": (
        "push {r4, lr}\n mov r0, sp\n nop\n ldr r1, [r0]\n ldr r2, [r0, #4]\n pop {r4, pc}",
        6,
        3 + 1 + 1 + 2 + 1 + 5,
    ),
    "more than the engine translates at once": (".rept 3000\n adds r0, #1\n .endr\n bx lr", 3001, 3003),
    "more than one page, with wide instructions across its edge": (
        ".rept 1500\n adds r0, #1\n adds.w r0, r0, #1\n .endr\n bx lr",
        3001,
        3003,
    ),
    "an IT block on every edge of a page": (
        "movs r0, #1\n .rept 1200\n cmp r0, #1\n ittt eq\n moveq r1, #2\n moveq r2, #3\n moveq r3, #3\n .endr\n bx lr",
        1 + 1200 * 5 + 1,
        1 + 1200 * 5 + 3,
    ),
}


def test_instructions_and_cycles_equal_a_count_by_hand(boot: Boot) -> None:
    board = boot(choice([assembly(body) for body, _, _ in COUNTED.values()]))
    for number, (case, (_, instructions, cycles)) in enumerate(COUNTED.items()):
        board.watch(f"midge_t_case_{number}")
        board.write(bytes([number] * 3))
        assert board.read(3) == bytes([number] * 3)
        costs = [call.cost for call in board.calls(f"midge_t_case_{number}")]
        assert [(cost.instructions, cost.cycles) for cost in costs] == [(instructions, cycles)] * 3, case


def test_a_run_counts_the_same_however_the_bytes_come_in(boot: Boot) -> None:
    board = boot(
        "volatile int x; void midge_t_run(uint8_t byte) { (void)byte; for (int i = 0; i < 100; i++) x = x * 3 + i; }"
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


def test_functions_share_out_the_whole_of_a_call(boot: Boot) -> None:
    board = boot(
        """
        static volatile int x;
        static __attribute__((noinline)) void twice(void) { x += x; }
        static __attribute__((noinline)) void often(void) { for (int i = 0; i < 50; i++) { twice(); } }
        void midge_t_run(uint8_t byte) { x = byte; often(); twice(); x = 1; }
        """
    )
    board.write(b"x")
    board.read(1)
    (call,) = board.calls("midge_t_run")
    assert {"midge_t_run", "often", "twice"} >= set(call.functions) >= {"midge_t_run", "twice"}
    assert sum(cost.instructions for cost in call.functions.values()) == call.cost.instructions
    assert sum(cost.cycles for cost in call.functions.values()) == call.cost.cycles
    assert sum(cost.instructions for cost in board.by_function().values()) == board.instructions
    assert "main" in board.by_function()


def test_the_timer_shows_the_cycles_that_the_host_counts(boot: Boot) -> None:
    main = """
    #include "port/port.h"
    void midge_t_run(uint8_t byte);
    int main(void) {
        uint8_t byte;
        for (;;) {
            if (midge_port_read(&byte, 1) != 0) {
                const uint32_t before = midge_port_ticks();
                midge_t_run(byte);
                const uint32_t ticks = midge_port_ticks() - before;
                midge_port_write((const uint8_t *)&ticks, 4);
            }
        }
    }
    """
    board = boot(choice([assembly("mov r0, #1000\n 1: subs r0, #1\n bne 1b\n bx lr")]), main)
    board.write(b"\0")
    ticks = int.from_bytes(board.read(4), "little")
    (call,) = board.calls("midge_t_run")
    # Between the two readings lie the call itself and a few instructions of main.
    assert call.cost.cycles < ticks < call.cost.cycles + 30


def test_a_firmware_that_waits_is_parked_and_goes_on(boot: Boot) -> None:
    board = boot(EMPTY)
    assert board.read(100) == b""
    before = board.instructions
    assert board.read(100) == b""
    assert board.instructions - before < 2000
    board.write(b"hello")
    assert board.output_waiting() == 5
    assert board.read(2) + board.read(100) == b"hello"
    board.write(b"x")
    board.output_waiting()
    board.discard_output()
    assert board.read(1) == b""


def test_a_firmware_that_only_talks_can_still_be_read(boot: Boot) -> None:
    main = """
    #include "port/port.h"
    void midge_t_run(uint8_t byte);
    int main(void) { midge_t_run(1); for (uint32_t i = 0;; i++) { midge_port_write((const uint8_t *)&i, 1); } }
    """
    board = boot(EMPTY, main)
    assert board.read(600) == bytes(i % 256 for i in range(600))
    assert board.read(3_000_000)[-1] == (600 + 3_000_000 - 1) % 256


def test_a_long_input_arrives_whole(boot: Boot) -> None:
    board = boot(EMPTY)
    data = bytes(i * 7 % 256 for i in range(70_000))
    board.write(data)
    assert board.read(len(data)) == data


def test_reset_brings_back_the_first_state(boot: Boot) -> None:
    main = """
    #include "port/port.h"
    void midge_t_run(uint8_t byte);
    static uint8_t start = 40, zero;
    int main(void) {
        midge_t_run(1);
        uint8_t byte;
        for (;;) {
            if (midge_port_read(&byte, 1)) {
                start++; zero++; byte = start + zero; midge_port_write(&byte, 1);
            }
        }
    }
    """
    board = boot(EMPTY, main)
    board.write(b"xx")
    assert board.read(9) == bytes([42, 44])
    total = board.instructions
    board.write(b"lost")
    board.reset()
    assert (board.instructions, board.cycles) == (0, 0)
    board.write(b"xx")
    assert board.read(9) == bytes([42, 44])
    assert board.instructions == total


def test_the_stack_mark_is_as_deep_as_the_stack_was(boot: Boot) -> None:
    depths = [1, 10, 500]
    dig = "mov r0, sp\n mov r1, #{}\n 1: str r1, [r0, #-4]!\n subs r1, #1\n bne 1b\n bx lr"
    board = boot(choice([assembly(dig.format(words)) for words in depths]))
    board.read(1)
    mark = board.stack_high_water_bytes()
    for number, words in enumerate(depths):
        board.write(bytes([number]))
        board.read(1)
        before, mark = mark, board.stack_high_water_bytes()
        assert words * 4 < mark <= max(before, words * 4 + 64)


FAULTS = {
    "a read of nothing": (
        "(void)*(volatile int *)(uintptr_t)(16 + zero)",
        r"read of 0x00000010 where there is no memory, in FUNCTION\+0x",
    ),
    "a write to flash": ("*(volatile int *)0x08000100 = 1", r"write to flash at 0x08000100, in FUNCTION\+0x"),
    "a write past the RAM": ("*(volatile int *)0x200a0000 = 1", r"write to 0x200a0000 where there is no memory"),
    "a jump into RAM": (
        "((void (*)(void))0x20000001)()",
        r"jump to 0x20000000, which is data, .*come from FUNCTION",
    ),
    "a jump to nowhere": ("((void (*)(void))0x30000001)()", r"jump to 0x30000000 where .*come from FUNCTION"),
    "a trap": ("__builtin_trap()", r"undefined instruction .*, in FUNCTION\+0x"),
    "a supervisor call": ('__asm__ volatile("svc #0")', r"supervisor call .*, in FUNCTION\+0x"),
    "a breakpoint": ('__asm__ volatile("bkpt #0")', r"breakpoint instruction, in FUNCTION\+0x"),
    "sleep": ('__asm__ volatile("wfi")', r"went to sleep .*, in FUNCTION\+0x"),
    "an unknown device register": ("*(volatile int *)0x40000800 = 1", r"device register 0x800, .*, in FUNCTION\+0x"),
}


def test_a_fault_names_what_happened_and_the_function(boot: Boot) -> None:
    idle = 'for (;;) { __asm__ volatile(""); }'
    bodies = [f"void NAME(void) {{ {statement}; {idle} }}" for statement, _ in FAULTS.values()]
    board = boot("static volatile int zero;\n" + choice(bodies))
    for number, (_, message) in enumerate(FAULTS.values()):
        board.reset()
        board.write(bytes([number]))
        for _ in range(2):
            with pytest.raises(DeviceFaultError, match=message.replace("FUNCTION", f"midge_t_(case_{number}|run)")):
                board.read(1)
    board.reset()
    assert board.read(1) == b""


def test_a_stack_overflow_is_called_one(boot: Boot) -> None:
    board = boot(
        """
        static volatile int depth, limit = 1000000;
        static __attribute__((noinline)) int deeper(volatile int *up) {
            volatile int here[32]; here[0] = *up + 1;
            if (here[0] < limit) { depth = deeper(here) + here[1]; }
            return depth;
        }
        void midge_t_run(uint8_t byte) { volatile int start = byte; deeper(&start); }
        """
    )
    board.write(b"x")
    with pytest.raises(DeviceFaultError, match=r"stack overflow: .*, in deeper\+0x"):
        board.read(1)


def test_an_endless_loop_ends_at_the_deadline(boot: Boot) -> None:
    loops = ['for (;;) { __asm__ volatile(""); }', "for (volatile int i = 0;; i++) { }", '__asm__ volatile("b .");']
    board = boot(choice([f"void NAME(void) {{ {loop} }}" for loop in loops]), deadline=1_000_000)
    for number in range(len(loops)):
        board.reset()
        board.write(bytes([number]))
        with pytest.raises(DeviceFaultError, match=r"no end within 1000000 cycles .*, in midge_t_(case_\d|run)\+0x"):
            board.read(1)
        assert 1_000_000 <= board.cycles < 1_010_000


def test_watching_an_unknown_function_is_an_error_in_words(boot: Boot) -> None:
    with pytest.raises(ToolchainError, match="no symbol 'midge_other_run'"):
        boot(EMPTY).watch("midge_other_run")
