"""The other cores' cycle models against sequences counted by hand, as `sequences` describes.

Cortex-M0+: table 3-1 of Arm DDI 0484. Cortex-M3: table 3-1 and 3.3.2 of Arm 100165. Cortex-M33 and Cortex-M7: what was
measured on an RP2350 and an STM32H7 (github.com/jnk0le/random, "pipeline cycle test"); Arm publishes nothing.
"""

from __future__ import annotations

import pytest
from sequences import assemble, counted

pytest.importorskip("capstone", reason='needs capstone: pip install "midge[emulator]"')

from compilers import needed_toolchain
from midge.boards import load_core
from midge.measure.timing import load_model

CORTEX_M0PLUS = [
    """
    ldr r0, [r1]            @ 2  a load
    ldrb r2, [r1, r3]       @ 2  every load: nothing is pipelined
    str r0, [r1, #4]        @ 2  a store
    ldr r4, [pc, #4]        @ 2  a literal
    muls r0, r1, r0         @ 1  the single-cycle multiplier
    adds r0, r0, r2         @ 1  arithmetic
    sxtb r0, r0             @ 1  extension
    """,
    """
    push {r4, r5, lr}       @ 4  1 + N
    ldm r0!, {r1, r2}       @ 3  1 + N
    stm r3!, {r1, r2}       @ 3  1 + N
    pop {r4, r5, pc}        @ 6  3 + N
    """,
    """
    1: subs r0, r0, #1      @ 1  arithmetic
    bne 1b                  @ 1 or 2  not taken, taken
    """,
    "b 9f                   @ 2  always taken",
    "bl 9f                  @ 3  a call",
    "bx lr                  @ 2  a return",
    "mov pc, r0             @ 2  a move to PC",
]

CORTEX_M3 = [
    """
    ldr r0, [r1, r5]        @ 2  table 3-1
    ldr r1, [r2]            @ 1  3.3.2's example: four cycles in all
    ldr r2, [r3, #4]        @ 1  pipelined
    """,
    """
    ldr r0, [r8], #4        @ 2  the first of a run may step its pointer
    ldr r1, [r9]            @ 1  pipelined
    ldr r2, [r10], #4       @ 2  measured: not pipelined when it steps a pointer itself
    """,
    """
    mul r0, r1, r2          @ 1  table 3-1
    mla r0, r1, r2, r3      @ 2  table 3-1
    mls r0, r1, r2, r3      @ 2  table 3-1
    smull r0, r1, r2, r3    @ 5  table 3-1: 3 to 5, and the most is charged
    umlal r0, r1, r2, r3    @ 7  table 3-1: 4 to 7, and the most is charged
    """,
    """
    ssat r0, #8, r0         @ 1  table 3-1
    strb r0, [r1], #1       @ 1  3.3.2: base plus immediate
    """,
]

CORTEX_M33 = [
    """
    ldr r0, [r1]            @ 1  a load
    add r0, r0, r2          @ 2  load to use is 2 cycles
    """,
    """
    ldr r0, [r1]            @ 1  a load
    ldr r2, [r3]            @ 1  another
    add r0, r0, r4          @ 1  there by now
    """,
    """
    ldr r0, [r1]            @ 1  a load
    str r0, [r2]            @ 1  load to store is 1 cycle
    """,
    """
    ldr r0, [r1]            @ 1  a load
    mla r0, r2, r3, r0      @ 1  an accumulator has 1 cycle less to wait
    mla r0, r4, r5, r0      @ 1  a chain of accumulations
    add r6, r0, r7          @ 2  any other use of a product waits
    """,
    """
    smlad r0, r1, r2, r0    @ 1  a dual multiply
    smlad r0, r3, r4, r0    @ 1  a chain
    """,
    """
    add r0, r1, r2, ror #3  @ 1  a shifted operand
    add r4, r0, r5          @ 2  its result comes one cycle late
    """,
    """
    ldrd r0, r1, [r2]       @ 2  a pair
    ldm r3, {r4-r7}         @ 4  four registers
    """,
    """
    1: subs r0, r0, #1      @ 1  it sets the flags
    bne 1b                  @ 0 or 2  not taken it shares that cycle
    """,
    """
    1: subs r1, r1, #1      @ 1  arithmetic
    add r0, r2              @ 1  narrow, without flags
    bne 1b                  @ 0 or 1  one of the two cycles is shared
    """,
    """
    cmp r0, #1              @ 1  arithmetic
    it eq                   @ 0  shares that cycle
    moveq r1, r2            @ 1  executed or skipped
    """,
]

CORTEX_M7 = [
    """
    eor r0, r1, r2          @ 1  two a cycle: this one
    eor r3, r4, r5          @ 0  and this one
    eor r6, r7, r8          @ 1  two more
    eor r9, r10, r11        @ 0  beside it
    """,
    """
    eor r0, r1, r2          @ 1  late, as all logic
    eor r3, r0, r4          @ 1  waits for it
    """,
    """
    ldr r0, [r8]            @ 1  two loads
    ldr r1, [r8, #4]        @ 0  of words in different banks
    """,
    """
    ldr r0, [r8]            @ 1  two loads
    ldr r1, [r8, #8]        @ 1  of the same bank
    """,
    """
    ldr r0, [r8]            @ 1  two loads
    ldr r1, [r9]            @ 1  of who knows which banks
    """,
    """
    ldr r0, [r8]            @ 1  a load
    eor r1, r0, r2          @ 1  used in the next cycle
    """,
    """
    ldr r0, [r8]            @ 1  a load
    mul r1, r0, r2          @ 2  a multiply waits one more
    """,
    """
    ldrb r0, [r8]           @ 1  a byte
    eor r1, r0, r2          @ 2  comes one cycle later than a word
    """,
    """
    ldr r0, [r8]            @ 1  a load
    ldr r1, [r0]            @ 2  an address is needed a cycle earlier than other operands
    """,
    """
    smlad r0, r1, r2, r0    @ 1  one multiply a cycle
    smlad r0, r3, r4, r0    @ 1  the accumulator is there at once
    smlad r0, r5, r6, r0    @ 1  again
    """,
    """
    smlad r0, r1, r2, r0    @ 1  a multiply
    sxtb16 r3, r4           @ 0  beside one that extends
    smlad r5, r1, r2, r5    @ 1  the next multiply
    ldr r6, [r8]            @ 0  beside a load
    """,
    """
    sxtb16 r0, r1           @ 1  one shifter
    sxtb16 r2, r3           @ 1  one shifter
    """,
    """
    mul r0, r1, r2          @ 1  a multiply
    str r3, [r4]            @ 1  not beside a store
    """,
    """
    ldm r0, {r1-r4}         @ 2  two registers a cycle
    eor r5, r6, r7          @ 1  nothing beside it
    """,
    """
    1: subs r0, r0, #1      @ 1  the last pass of a loop
    bne 1b                  @ 7 or 0  predicted as taken: 7 when it is not
    """,
]

ALL = {
    f"{core} {number}: {text.strip().split('@')[0].strip()}": (core, text)
    for core, sequences in [
        ("cortex-m0plus", CORTEX_M0PLUS),
        ("cortex-m3", CORTEX_M3),
        ("cortex-m33", CORTEX_M33),
        ("cortex-m7", CORTEX_M7),
    ]
    for number, text in enumerate(sequences)
}


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every sequence assembled for its core."""
    code: dict[str, bytes] = {}
    for core in dict.fromkeys(core for core, _ in ALL.values()):
        names = [name for name, (of, _) in ALL.items() if of == core]
        toolchain = needed_toolchain(load_core(core))
        made = assemble([ALL[name][1] for name in names], toolchain, tmp_path_factory.mktemp(core))
        code |= dict(zip(names, made, strict=True))
    return code


@pytest.mark.parametrize("name", ALL)
def test_a_sequence_costs_what_its_source_says(name: str, machine_code: dict[str, bytes]) -> None:
    core, text = ALL[name]
    cost = load_model(load_core(core).timing.model)(machine_code[name], 0x0800_1000)
    assert (cost.next_cycles, cost.taken_cycles) == counted(text)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m33", "cortex-m7"])
def test_an_empty_run_costs_nothing(core: str) -> None:
    cost = load_model(load_core(core).timing.model)(b"", 0x0800_1000)
    assert (cost.instructions, cost.next_cycles, cost.taken_cycles) == (0, 0, 0)


def test_a_core_says_how_far_its_model_is_validated() -> None:
    assert "validated to" in load_core("cortex-m4f").timing.basis
    for core in ("cortex-m33", "cortex-m7"):
        assert "unvalidated" in load_core(core).timing.basis
