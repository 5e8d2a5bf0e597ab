"""The Cortex-M4's cycle model against sequences counted by hand from the Technical Reference Manual.

Arm 100166 (formerly DDI 0439D): costs of instructions in tables 3-1 and 3-2 (3.3.1), of loads and stores beside each
other in 3.3.2, of the FPU in 7.2.3. Here is every class of instruction that kernels use; `sequences` says how a
sequence is written. Refill P of a branch is 1 to an aligned word whose address stands in the instruction, else 2.
"""

from __future__ import annotations

import pytest
from sequences import assemble, counted

pytest.importorskip("capstone", reason='needs capstone: pip install "midge[emulator]"')

from compilers import needed_toolchain
from midge.boards import load_core
from midge.measure.timing import load_model

LOADS = {
    "a load alone": """
        ldr r0, [r1]            @ 2  table 3-1: 2
        """,
    "two loads": """
        ldr r0, [r1]            @ 2  table 3-1
        ldr r1, [r2]            @ 1  3.3.2's example: three cycles in all
        """,
    "a run of loads": """
        ldr r0, [r1, r5]        @ 2  table 3-1
        ldr r1, [r2]            @ 1  pipelined
        ldr r2, [r3, #4]        @ 1  3.3.2's example: four cycles in all
        """,
    "a long run of every width": """
        ldr r0, [r8]            @ 2  table 3-1
        ldrh r1, [r8, #4]       @ 1  pipelined, as all loads of one register
        ldrsh r2, [r8, #6]      @ 1  pipelined
        ldrb r3, [r8, #8]       @ 1  pipelined
        ldrsb r4, [r8, #9]      @ 1  pipelined
        ldr r5, [r8, r9, lsl #2] @ 1  pipelined
        """,
    "two loads with something between": """
        ldr r0, [r1]            @ 2  table 3-1
        adds r5, r6, r7         @ 1  table 3-1
        ldr r2, [r3]            @ 2  no load right before it
        """,
    "a load whose address was loaded": """
        ldr r0, [r1]            @ 2  table 3-1
        ldr r2, [r0]            @ 2  the first one's destination makes up the address: not pipelined
        """,
    "a load whose index was loaded": """
        ldrb r0, [r1]           @ 2  table 3-1
        ldr r2, [r3, r0, lsl #2] @ 2  the same for an index: a table look-up
        """,
    "a load used at once": """
        ldr r0, [r1]            @ 2  table 3-1
        adds r0, r0, r2         @ 1  an operand is there in time
        """,
    "a literal": """
        ldr r0, [pc, #16]       @ 2  table 3-1: 2; contention with the fetch unit "might" add one and is not counted
        """,
    "a literal before a load": """
        ldr r0, [pc, #16]       @ 2  table 3-1
        ldr r1, [r2]            @ 1  pipelined like any other
        """,
    "a literal that is the next address": """
        ldr r0, [pc, #16]       @ 2  table 3-1
        ldr r1, [r0]            @ 2  not pipelined
        """,
    "loads that step different pointers": """
        ldr r0, [r8], #4        @ 2  table 3-1
        ldr r1, [r9], #4        @ 1  pipelined
        ldr r2, [r8], #4        @ 1  pipelined: the pointer was stepped one load earlier
        """,
    "loads that step one pointer": """
        ldr r0, [r8], #4        @ 2  table 3-1
        ldr r1, [r8], #4        @ 2  the load before writes this address: not pipelined
        """,
    "a stepping load before one beside it": """
        ldr r0, [r8], #8        @ 2  table 3-1
        ldr r1, [r8, #-4]       @ 2  the same
        """,
}

STORES = {
    "a store": """
        str r0, [r1, #4]        @ 1  3.3.2: base plus immediate is always one cycle
        """,
    "stores": """
        str r0, [r1, #4]        @ 1  3.3.2
        strh r2, [r1, #8]       @ 1  3.3.2
        strb r3, [r1, #10]      @ 1  3.3.2
        """,
    "a store with an index": """
        str r0, [r1, r2]        @ 2  table 3-1: 2
        """,
    "a store with an index behind a load": """
        ldr r0, [r1, r2]        @ 2  table 3-1
        str r1, [r3, r2]        @ 1  3.3.2's example: three cycles in all
        """,
    "a store of what was loaded": """
        ldr r0, [r1, r2]        @ 2  table 3-1
        str r0, [r3, #20]       @ 1  3.3.2's example: three cycles in all
        """,
    "a load behind a store": """
        str r0, [r1, #4]        @ 1  3.3.2
        ldr r2, [r3]            @ 2  nothing is pipelined behind a store
        """,
    "a load behind a store with an index": """
        str r0, [r1, r2]        @ 2  table 3-1
        ldr r3, [r4]            @ 2  nothing is pipelined behind a store
        """,
    "a stepping store": """
        strb r0, [r1], #1       @ 1  base plus immediate
        """,
}

ADDRESSES = {
    "an address right behind the sum": """
        adds r1, r1, #4         @ 1  table 3-1
        ldr r0, [r1]            @ 3  table 3-1: 2, and one since nothing forwards the result to the address
        """,
    "an index right behind the sum": """
        adds r2, r2, #4         @ 1  table 3-1
        ldr r0, [r1, r2]        @ 3  the same for an index
        """,
    "an address one instruction later": """
        adds r1, r1, #4         @ 1  table 3-1
        movs r5, #0             @ 1  table 3-1
        ldr r0, [r1]            @ 2  no stall any more
        """,
    "a store's address right behind the sum": """
        adds r1, r1, #4         @ 1  table 3-1
        str r0, [r1]            @ 2  3.3.2: 1, and the stall
        """,
    "a store's value right behind the sum": """
        adds r0, r0, #4         @ 1  table 3-1
        str r0, [r1]            @ 1  a value is no address
        """,
    "an address right behind a product": """
        mla r1, r2, r3, r4      @ 1  table 3-1
        ldr r0, [r1]            @ 3  table 3-1: 2, and the stall
        """,
    "an address that comes back from the FPU": """
        vmov r1, s0             @ 1  7.2.3
        ldr r0, [r1]            @ 3  table 3-1: 2, and the stall: a result like any other
        """,
    "LDM right behind the sum": """
        adds r1, r1, #4         @ 1  table 3-1
        ldm r1, {r2, r3}        @ 4  table 3-1: 1 + 2, and the stall
        """,
    "LDRD right behind the sum": """
        adds r1, r1, #4         @ 1  table 3-1
        ldrd r2, r3, [r1]       @ 4  table 3-1: 1 + 2, and the stall
        """,
}

SEVERAL = {
    "LDM of three": """
        ldm r0!, {r1, r2, r3}   @ 4  table 3-1: 1 + 3
        """,
    "LDM of eight": """
        ldm r0, {r1-r8}         @ 9  table 3-1: 1 + 8
        """,
    "STM of eight": """
        stm r0!, {r1-r8}        @ 9  3.3.2: an eight element store takes nine cycles
        """,
    "LDM behind a load": """
        ldr r5, [r6]            @ 2  table 3-1
        ldm r0, {r1, r2}        @ 3  never pipelined with what is before it
        """,
    "a load behind LDM": """
        ldm r0, {r1, r2}        @ 3  table 3-1: 1 + 2
        ldr r5, [r6]            @ 2  nor with what follows
        """,
    "LDRD": """
        ldrd r0, r1, [r2, #8]   @ 3  3.3.2: three cycles
        """,
    "LDRD between loads": """
        ldr r5, [r6]            @ 2  table 3-1
        ldrd r0, r1, [r2], #8   @ 3  never pipelined with what is before it
        ldr r7, [r6]            @ 2  nor with what follows
        """,
    "LDRD twice": """
        ldrd r0, r1, [r2]       @ 3  3.3.2
        ldrd r4, r5, [r3]       @ 3  3.3.2
        """,
    "STRD": """
        strd r0, r1, [r2]       @ 3  table 3-1: 1 + 2
        """,
    "PUSH and POP": """
        push {r4-r7, lr}        @ 6  table 3-1: 1 + 5
        push {r8}               @ 1  the same as a store that steps sp
        pop {r4, r5}            @ 3  table 3-1: 1 + 2
        """,
}

ARITHMETIC = {
    "sums, logic and moves": """
        add r0, r1, r2, lsl #2  @ 1  table 3-1: an operand may be shifted
        subs r0, r1, #1         @ 1  table 3-1
        rsb r0, r1, #0          @ 1  table 3-1
        and r0, r1, #255        @ 1  table 3-1
        orr r0, r1, r2, ror #8  @ 1  table 3-1
        bic r0, r1, r2          @ 1  table 3-1
        movw r0, #4660          @ 1  table 3-1
        movt r0, #4660          @ 1  table 3-1
        asr r0, r1, r2          @ 1  table 3-1
        cmp r0, r1              @ 1  table 3-1
        sbfx r0, r1, #8, #8     @ 1  table 3-1
        bfi r0, r1, #8, #8      @ 1  table 3-1
        clz r0, r1              @ 1  table 3-1
        nop                     @ 1  table 3-1
        """,
    "multiplies": """
        mul r0, r1, r2          @ 1  table 3-1
        mla r0, r1, r2, r3      @ 1  table 3-1
        mls r0, r1, r2, r3      @ 1  table 3-1
        """,
    "long multiplies": """
        smull r0, r1, r2, r3    @ 1  table 3-1
        umull r0, r1, r2, r3    @ 1  table 3-1
        smlal r0, r1, r2, r3    @ 1  table 3-1
        umlal r0, r1, r2, r3    @ 1  table 3-1
        """,
    "a chain of dual multiplies": """
        smlad r0, r1, r2, r0    @ 1  table 3-2
        smlad r0, r3, r4, r0    @ 1  table 3-2: a sum goes straight on
        smladx r0, r5, r6, r0   @ 1  table 3-2
        smuad r7, r1, r2        @ 1  table 3-2
        smlald r0, r1, r2, r3   @ 1  table 3-2
        """,
    "halfword multiplies": """
        smlabb r0, r1, r2, r3   @ 1  table 3-2
        smlabt r0, r1, r2, r3   @ 1  table 3-2
        smlatb r0, r1, r2, r3   @ 1  table 3-2
        smulbb r0, r1, r2       @ 1  table 3-2
        smlawb r0, r1, r2, r3   @ 1  table 3-2
        """,
    "upper halves of products": """
        smmul r0, r1, r2        @ 1  table 3-2
        smmulr r0, r1, r2       @ 1  table 3-2
        smmla r0, r1, r2, r3    @ 1  table 3-2
        """,
    "lanes": """
        sxtb16 r0, r1           @ 1  table 3-2
        sxtb16 r0, r1, ror #8   @ 1  table 3-2
        sxtab16 r0, r1, r2      @ 1  table 3-2
        uxtb16 r0, r1           @ 1  table 3-2
        pkhbt r0, r1, r2, lsl #16 @ 1  table 3-2
        pkhtb r0, r1, r2, asr #16 @ 1  table 3-2
        sadd16 r0, r1, r2       @ 1  table 3-2
        sel r0, r1, r2          @ 1  table 3-2
        """,
    "saturation": """
        ssat r0, #8, r1         @ 1  table 3-1
        usat r0, #8, r1, asr #4 @ 1  table 3-1
        ssat16 r0, #8, r1       @ 1  table 3-2
        usat16 r0, #8, r1       @ 1  table 3-2
        qadd r0, r1, r2         @ 1  table 3-2
        """,
    "divisions": """
        sdiv r0, r1, r2         @ 7  table 3-1: 2 to 12, and the middle is charged
        udiv r3, r4, r5         @ 7  table 3-1
        """,
    "single precision": """
        vldr s0, [r0]           @ 2  7.2.3
        vadd.f32 s1, s2, s3     @ 1  7.2.3
        vmul.f32 s4, s5, s6     @ 1  7.2.3
        vmla.f32 s7, s8, s9     @ 3  7.2.3
        vdiv.f32 s10, s11, s12  @ 14  7.2.3
        """,
    "a float result used at once": """
        vadd.f32 s0, s1, s2     @ 1  7.2.3
        vadd.f32 s3, s0, s4     @ 2  7.2.3: 1, and one cycle until the result is there
        """,
}

BRANCHES = {
    "a loop": """
        1: subs r0, r0, #1      @ 1  table 3-1
        bne 1b                  @ 1 or 2  1 not taken; taken 1 + P, to an aligned word P = 1
        """,
    "a loop to the middle of a word": """
        nop                     @ 1  table 3-1
        1: subs r0, r0, #1      @ 1  table 3-1
        bne 1b                  @ 1 or 3  1 not taken; taken 1 + P with P = 2
        """,
    "compare and branch": """
        cbz r0, 9f              @ 1 or 2  1 not taken; taken 1 + P, to an aligned word
        """,
    "always": """
        b 9f                    @ 2  1 + P, to an aligned word
        """,
    "a call": """
        bl 9f                   @ 2  1 + P, to an aligned word
        """,
    "a call through a register": """
        blx r3                  @ 3  1 + P: the target comes from a register
        """,
    "a return": """
        bx lr                   @ 3  1 + P
        """,
    "a return through the stack": """
        pop {r4, pc}            @ 5  table 3-1: 1 + N + P with N = 2
        """,
    "a return through one word of the stack": """
        ldr pc, [sp], #4        @ 5  3.3.2: at least five cycles
        """,
    "a switch": """
        tbb [pc, r0]            @ 6  3.3.2: at least six cycles
        """,
}

CONDITIONAL = {
    "IT": """
        it eq                   @ 1  table 3-1: 1; that it may be folded is not counted
        moveq r0, r1            @ 1  executed or skipped
        """,
    "IT with loads": """
        ite ne                  @ 1  table 3-1
        ldrne r0, [r1]          @ 2  charged as if executed
        moveq r0, #0            @ 1  charged as if executed
        """,
    "ITTE": """
        itte lt                 @ 1  table 3-1
        movlt r0, #0            @ 1  charged
        addlt r1, r1, #1        @ 1  charged
        movge r0, #1            @ 1  charged
        """,
    "a conditional return": """
        it eq                   @ 1  table 3-1
        bxeq lr                 @ 1 or 3  skipped: 1; executed: 1 + P
        """,
}

KERNELS = {
    "2 x 2 outputs, int8 weights, one step of two channels": """
        ldr r0, [r8], #4        @ 2  weights of the first output, four channels
        ldr r2, [r9], #4        @ 1  of the second: another pointer
        ldr r4, [r10, #4]       @ 1  activations
        ldr r5, [r11, #4]       @ 1  activations
        sxtb16 r1, r0, ror #8   @ 1  table 3-2
        sxtb16 r0, r0           @ 1  table 3-2
        sxtb16 r3, r2, ror #8   @ 1  table 3-2
        sxtb16 r2, r2           @ 1  table 3-2
        smlad r6, r0, r4, r6    @ 1  table 3-2
        smlad r7, r2, r4, r7    @ 1  table 3-2
        smlad r12, r0, r5, r12  @ 1  table 3-2
        smlad lr, r2, r5, lr    @ 1  table 3-2
        """,
    "double rounding of a requantization": """
        smull r0, r1, r2, r3    @ 1  table 3-1
        adds r0, r0, #64        @ 1  table 3-1
        adc r1, r1, #0          @ 1  table 3-1
        asrs r1, r1, #4         @ 1  table 3-1
        add r1, r1, #3          @ 1  table 3-1
        ssat r1, #8, r1         @ 1  table 3-1
        strb r1, [r5], #1       @ 1  3.3.2: base plus immediate; the value is no address
        """,
    "a look-up": """
        ldrb r0, [r1], #1       @ 2  table 3-1
        ldrsb r0, [r2, r0]      @ 2  its address was just loaded
        strb r0, [r3], #1       @ 1  3.3.2
        """,
}

ALL = {
    f"{group}: {name}": text
    for group, cases in [
        ("loads", LOADS),
        ("stores", STORES),
        ("addresses", ADDRESSES),
        ("several registers", SEVERAL),
        ("arithmetic", ARITHMETIC),
        ("branches", BRANCHES),
        ("IT blocks", CONDITIONAL),
        ("kernels", KERNELS),
    ]
    for name, text in cases.items()
}


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every sequence assembled for the Cortex-M4F."""
    toolchain = needed_toolchain(load_core("cortex-m4f"))
    return dict(zip(ALL, assemble(list(ALL.values()), toolchain, tmp_path_factory.mktemp("sequences")), strict=True))


@pytest.mark.parametrize("name", ALL)
def test_a_sequence_costs_what_the_manual_says(name: str, machine_code: dict[str, bytes]) -> None:
    cost = load_model("cortex_m4")(machine_code[name], 0x0800_1000)
    assert (cost.next_cycles, cost.taken_cycles) == counted(ALL[name])
    assert cost.instructions == len(ALL[name].strip().splitlines())
