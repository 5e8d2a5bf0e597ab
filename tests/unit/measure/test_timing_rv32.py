"""The cycle model of RV32IMC against sequences counted by hand, by the rules of CV32E40P's user manual."""

from __future__ import annotations

import pytest

from midge.measure.timing import load_model

LW, ADD, ADD_OTHERS, SW = "03a50500", "3305c500", "b386c600", "23a0a500"
MUL, MULH, DIV = "3305b502", "3315b502", "3345b502"
BEQ, JAL = "6300b500", "6ff01fff"
C_LW, C_ADD, C_SW, C_LWSP, C_MV, C_AND = "8841", "3295", "88c1", "0245", "aa85", "e98d"
C_BEQZ, C_J, RET, C_LI, C_ADDI = "01c1", "fdbf", "8280", "0145", "0505"

SEQUENCES = {
    "arithmetic, one cycle each": ([ADD, C_ADD, C_MV, C_LI, C_ADDI], 5, 5, 5),
    "a load that the next instruction waits for": ([LW, ADD], 2, 3, 3),
    "a load that nothing waits for": ([LW, ADD_OTHERS, ADD], 3, 3, 3),
    "a short load and a short sum of it": ([C_LW, C_ADD], 2, 3, 3),
    "a load from the stack that is stored": ([C_LWSP, C_SW], 2, 3, 3),
    "a load from the stack that is copied": ([C_LWSP, C_MV], 2, 3, 3),
    "a load from the stack that is masked with": ([C_LWSP, C_AND], 2, 3, 3),
    "a load that is an address": ([C_LW, C_BEQZ], 2, 3, 5),
    "a store": ([SW], 1, 1, 1),
    "products and a quotient": ([MUL, MULH, DIV], 3, 41, 41),
    "a branch": ([ADD, BEQ], 2, 2, 4),
    "a short branch": ([C_ADDI, C_BEQZ], 2, 2, 4),
    "jumps": ([JAL], 1, 2, 2),
    "a short jump": ([C_J], 1, 2, 2),
    "a return": ([C_ADDI, RET], 2, 3, 3),
}


@pytest.mark.parametrize(("code", "instructions", "next_cycles", "taken_cycles"), SEQUENCES.values(), ids=SEQUENCES)
def test_a_sequence_costs_what_was_counted(
    code: list[str], instructions: int, next_cycles: int, taken_cycles: int
) -> None:
    cost = load_model("rv32")(bytes.fromhex("".join(code)), 0)
    assert (cost.instructions, cost.next_cycles, cost.taken_cycles) == (instructions, next_cycles, taken_cycles)
