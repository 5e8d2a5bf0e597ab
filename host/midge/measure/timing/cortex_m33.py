"""Cycles of the Cortex-M33 at zero wait states: a guess, since Arm publishes none and no program was compared.

The rules are what was measured, instruction by instruction, on an RP2350 (github.com/jnk0le/random, "pipeline cycle
test", cortex_m33): two stages of execution, in order. Loads, multiplies and shifted operands give their result one
cycle late, but in time for an accumulator or a store; registers move one a cycle; an IT, and a branch behind a narrow
instruction, share that instruction's cycle. Where nothing was measured the Cortex-M4's cost stands in: divisions,
indirect branches, unaligned loads, the FPU. Results on their way at the end of a block are taken to be there in time.
"""

from __future__ import annotations

from midge.measure.timing import BlockCost, Unaligned
from midge.measure.timing.thumb import NOTHING, Instruction, decode

# As the Cortex-M4.
UNALIGNED = Unaligned(halfword=1, word_at_halfword=1, word_at_byte=2)
_DIVIDE, _FP_LATENCY, _FP_MULTIPLY_ADD, _FP_DIVIDE = 7, 2, 3, 14
_INDIRECT, _TABLE, _INTO_PC = 3, 6, 2
_EXTENDS_AND_ADDS = ("sxta", "uxta")


def block_costs(code: bytes, address: int) -> BlockCost:
    """The cost of one pass through `code`, whole Thumb instructions that lie at `address`."""
    steps = decode(code, address)
    clock = open_it = 0
    ready: dict[str, int] = {}  # from when on any instruction can use a register
    forwarded: dict[str, int] = {}  # ... as an accumulator, or as what is stored
    for at, step in enumerate(steps):
        if step.kind in ("branch", "table"):
            break
        late = step.accumulator or (step.reads - step.address if step.kind.startswith("store") else NOTHING)
        waits = [ready.get(r, 0) for r in step.reads - late] + [forwarded.get(r, 0) for r in late]
        start = max(clock, *waits, 0)
        clock = start + _slots(step, first=at == 0)
        for register in step.writes:
            moved = step.updates and register == step.base
            ready[register] = clock - 1 + (1 if moved else _latency(step))
            forwarded[register] = clock
        open_it = step.it_length or max(0, open_it - 1)
    return _ending(steps, clock, open_it)


def _slots(step: Instruction, *, first: bool) -> int:
    if step.kind == "it":
        return int(first)
    if step.kind in ("load many", "store many"):
        return step.words
    if step.kind in ("load pair", "store pair"):
        return 2
    if step.name in ("sdiv", "udiv"):
        return _DIVIDE
    if step.name in ("vdiv", "vsqrt"):
        return _FP_DIVIDE
    # A narrow multiply sets the flags, which come in the second stage.
    return 2 if step.name == "mul" and not step.wide else 1


def _latency(step: Instruction) -> int:
    if step.is_float and step.kind == "compute":
        return _FP_MULTIPLY_ADD if "ml" in step.name or "fm" in step.name else _FP_LATENCY
    two_stages = step.kind.startswith("load") or step.is_multiply or step.shifted
    return 2 if two_stages or step.name.startswith(_EXTENDS_AND_ADDS) else 1


def _ending(steps: tuple[Instruction, ...], clock: int, open_it: int) -> BlockCost:
    """Both ways out of the block; `clock` is without the branch."""
    last = steps[-1] if steps else Instruction("none")
    if last.kind == "table":
        return BlockCost(len(steps), clock + _TABLE, clock + _TABLE)
    if last.kind != "branch":
        taken = clock + _INTO_PC * last.branches
        return BlockCost(len(steps), clock if last.conditional else taken, taken, open_it > 0)
    before = steps[-2] if len(steps) > 1 else Instruction("none", wide=True)
    paired = not last.wide and not before.wide and before.kind != "it"
    taken = clock + (1 if paired and not before.sets_flags else 2)
    if last.target is None:
        taken = clock + _INDIRECT
    return BlockCost(len(steps), clock + (0 if paired else 1) if last.conditional else taken, taken)
