"""The Cortex-M4 cycle model against costs counted by hand from the Technical Reference Manual (Arm 100166, 3.3)."""

from __future__ import annotations

import pytest

pytest.importorskip("capstone", reason='needs capstone: pip install "midge[emulator]"')

from midge.errors import BoardError
from midge.measure.timing import BlockCost, load_model
from midge.measure.timing.cortex_m4 import block_costs

# Instructions as bytes in memory order.
LDR_R0_R1 = "0868"  # ldr r0, [r1]
LDR_R2_R3 = "1a68"  # ldr r2, [r3]
LDR_R2_R0 = "0268"  # ldr r2, [r0]
LDRB_R0_R1_R2 = "885c"  # ldrb r0, [r1, r2]
STR_R0_R1_4 = "4860"  # str r0, [r1, #4]
STR_R0_R1_R2 = "8850"  # str r0, [r1, r2]
ADDS_R1_4 = "0431"  # adds r1, #4
ADDS_R0_1 = "0130"  # adds r0, #1
SMLAD = "21fb0230"  # smlad r0, r1, r2, r3
SDIV = "91fbf2f0"  # sdiv r0, r1, r2
LDRD = "d2e90201"  # ldrd r0, r1, [r2, #8]
LDM3 = "0ec8"  # ldm r0!, {r1, r2, r3}
PUSH2 = "10b5"  # push {r4, lr}
PUSH6 = "2de9f041"  # push.w {r4-r8, lr}
VLDR = "90ed000a"  # vldr s0, [r0]
VADD_S0 = "30ee810a"  # vadd.f32 s0, s1, s2
VADD_S3_S0 = "70ee001a"  # vadd.f32 s3, s0, s0
VMLA = "00ee810a"  # vmla.f32 s0, s1, s2
NOP = "00bf"


@pytest.mark.parametrize(
    ("code", "cycles"),
    [
        (NOP, 1),
        (SMLAD, 1),
        (SDIV, 7),
        (LDR_R0_R1, 2),
        (LDR_R0_R1 + LDR_R2_R3, 3),
        (LDR_R0_R1 + LDR_R2_R0, 4),  # the second waits for its address
        (LDR_R0_R1 + LDRB_R0_R1_R2 + LDR_R2_R3, 4),
        (LDR_R0_R1 + NOP + LDR_R2_R3, 5),
        (STR_R0_R1_4, 1),
        (STR_R0_R1_R2, 2),
        (LDR_R2_R3 + STR_R0_R1_R2, 4),  # r2 is loaded and makes up the address
        (LDR_R0_R1 + STR_R0_R1_R2, 3),
        (STR_R0_R1_4 + LDR_R2_R3, 3),
        (ADDS_R1_4 + LDR_R0_R1, 4),  # an address right after it is computed
        (ADDS_R1_4 + NOP + LDR_R0_R1, 4),
        (LDRD, 3),
        (LDRD + LDR_R2_R3, 5),
        (LDM3, 4),
        (PUSH2, 3),
        (PUSH6, 7),
        (VLDR, 2),
        (VMLA, 3),
        (VADD_S0 + VADD_S3_S0, 3),  # a result used at once
        (VADD_S0 + NOP + VADD_S3_S0, 3),
    ],
)
def test_straight_code_costs_what_the_manual_says(code: str, cycles: int) -> None:
    raw = bytes.fromhex(code)
    cost = block_costs(raw, 0x1000)
    assert (cost.next_cycles, cost.taken_cycles) == (cycles, cycles)


@pytest.mark.parametrize(
    ("code", "address", "next_cycles", "taken_cycles"),
    [
        ("fed1", 0x1000, 1, 2),  # bne to an aligned word
        ("fed1", 0x1002, 1, 3),  # bne to the middle of a word
        ("fee7", 0x1000, 2, 2),  # b
        ("00f062f8", 0x1000, 2, 2),  # bl to 0x10c8
        ("7047", 0x1000, 3, 3),  # bx lr
        ("8047", 0x1000, 3, 3),  # blx r0
        ("40b1", 0x1000, 1, 2),  # cbz to 0x1014
        ("10bd", 0x1000, 5, 5),  # pop {r4, pc}
        ("d1f800f0", 0x1000, 5, 5),  # ldr pc, [r1]
        ("dfe800f0", 0x1000, 6, 6),  # tbb [pc, r0]
        ("08bf7047", 0x1000, 2, 4),  # it eq; bxeq lr
        ("18bf10bd", 0x1000, 2, 6),  # it ne; popne {r4, pc}
    ],
)
def test_branches_cost_less_when_not_taken(code: str, address: int, next_cycles: int, taken_cycles: int) -> None:
    cost = block_costs(bytes.fromhex(code), address)
    assert (cost.next_cycles, cost.taken_cycles) == (next_cycles, taken_cycles)


def test_wide_and_narrow_instructions_count_as_one_each() -> None:
    assert block_costs(bytes.fromhex(NOP + SMLAD + LDRD + NOP), 0).instructions == 4


def test_an_instruction_the_disassembler_does_not_know_counts_as_one() -> None:
    assert block_costs(bytes.fromhex(NOP + "00deffff" + NOP), 0).instructions >= 3


def test_a_block_that_ends_inside_an_it_block_says_so() -> None:
    itt_eq = "04bf"
    assert block_costs(bytes.fromhex(itt_eq + ADDS_R0_1), 0).ends_in_it
    assert not block_costs(bytes.fromhex(itt_eq + ADDS_R0_1 + ADDS_R0_1), 0).ends_in_it
    assert block_costs(bytes.fromhex(itt_eq), 0).ends_in_it


def test_an_empty_run_costs_nothing() -> None:
    assert block_costs(b"", 0) == BlockCost(0, 0, 0)


def test_an_unknown_cycle_model_is_an_error_in_words() -> None:
    with pytest.raises(BoardError, match="no cycle model 'z80'"):
        load_model("z80")
