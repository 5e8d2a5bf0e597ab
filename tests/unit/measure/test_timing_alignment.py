"""Which accesses can be unaligned: sums of registers followed through a block, against worked examples."""

from __future__ import annotations

import pytest
from sequences import assemble

pytest.importorskip("capstone", reason='needs capstone: pip install "midge[emulator]"')

from compilers import needed_toolchain
from midge.boards import load_core
from midge.measure.timing.alignment import Access, accesses

R1, R2 = ("r1", 1), ("r2", 1)
# Code, its accesses that can be unaligned, how many are unknown.
CASES: dict[str, tuple[str, list[Access], int]] = {
    "a word": ("ldr r0, [r1]", [Access("word", (R1,), 0)], 0),
    "a word beside it": ("ldr r0, [r1, #6]", [Access("word", (R1,), 2)], 0),
    "a halfword": ("ldrsh r0, [r1, #3]", [Access("halfword", (R1,), 1)], 0),
    "bytes are always aligned": ("ldrb r0, [r1]\nldrsb r2, [r1, #1]", [], 0),
    "stores wait in a buffer": ("str r0, [r1]\nstrh r0, [r1]", [], 0),
    "the stack is aligned": ("ldr r0, [sp, #4]\npush {r4, r5}\npop {r4, r5}", [], 0),
    "an odd place on the stack": ("add r1, sp, #1\nldr r0, [r1]", [Access("word", (), 1)], 0),
    "a literal": ("ldr r0, [pc, #4]", [], 0),
    "an index": ("ldr r0, [r1, r2]", [Access("word", (R1, R2), 0)], 0),
    "an index of words": ("ldr r0, [r1, r2, lsl #2]", [Access("word", (R1,), 0)], 0),
    "an index of halfwords": ("ldr r0, [r1, r2, lsl #1]", [Access("word", (R1, ("r2", 2)), 0)], 0),
    "a pointer that steps by words": (
        "ldr r0, [r1], #4\nldr r3, [r1], #4",
        [Access("word", (R1,), 0), Access("word", (R1,), 0)],
        0,
    ),
    "a pointer that steps by threes": (
        "ldr r0, [r1], #3\nldr r3, [r1], #3",
        [Access("word", (R1,), 0), Access("word", (R1,), 3)],
        0,
    ),
    "a pointer that steps back first": ("ldr r0, [r1, #-2]!", [Access("word", (R1,), 2)], 0),
    "a sum": ("add r3, r1, r2\nldr r0, [r3, #1]", [Access("word", (R1, R2), 1)], 0),
    "a difference": ("sub r3, r1, r2\nldr r0, [r3]", [Access("word", (R1, ("r2", 3)), 0)], 0),
    "a shifted sum": ("add r3, r1, r2, lsl #2\nldr r0, [r3]", [Access("word", (R1,), 0)], 0),
    "a copy": ("mov r3, r1\nadds r3, #2\nldr r0, [r3]", [Access("word", (R1,), 2)], 0),
    "a pointer kept in the FPU": ("vmov r1, s3\nldr r0, [r1, #2]", [Access("word", (("s3", 1),), 2)], 0),
    "LDM and LDRD fault": (
        "ldm r1, {r3, r4}\nldrd r3, r4, [r2, #4]",
        [Access("strict", (R1,), 0), Access("strict", (R2,), 0)],
        0,
    ),
    "STM and STRD fault": (
        "stm r1!, {r3, r4}\nstrd r3, r4, [r2]",
        [Access("strict", (R1,), 0), Access("strict", (R2,), 0)],
        0,
    ),
    "an address that was loaded": ("ldr r0, [sp, #4]\nldr r1, [r0]", [], 1),
    "an address that was multiplied": ("mul r0, r1, r2\nldr r1, [r0]", [], 1),
    "an address that may have changed": ("it eq\naddeq r1, r1, #1\nldr r0, [r1]", [], 1),
}


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every case assembled for the Cortex-M4F."""
    toolchain = needed_toolchain(load_core("cortex-m4f"))
    made = assemble([text for text, _, _ in CASES.values()], toolchain, tmp_path_factory.mktemp("alignment"))
    return dict(zip(CASES, made, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_accesses_that_can_be_unaligned_are_found(name: str, machine_code: dict[str, bytes]) -> None:
    _, expected, unknown = CASES[name]
    assert accesses(machine_code[name], 0x0800_1000) == (tuple(expected), unknown)
