"""Cycles of the cores with three stages that share a Technical Reference Manual's rules: Cortex-M3 and Cortex-M4.

Sections are those of Arm 100166 (Cortex-M4 r0p1, formerly DDI 0439) and Arm 100165 (Cortex-M3 r2p1): instruction costs
from the table in 3.3.1, pipelining of loads and stores from 3.3.2, the FPU's from 7.2.3. What a manual gives as a range
is fixed here, each with its reason. Where boards are known to be slower than the manual's wording allows, they are
believed: base registers written back (github.com/jnk0le/random, "pipeline cycle test": STM32F103, STM32F407).

Not counted: contention of literal loads with the fetch unit, wide instructions that do not lie on words (both manuals
say "might"), IT instructions folded away, and waiting for memory. Unaligned accesses are counted where they happen, by
`midge.measure.timing.alignment`. A conditional instruction inside an IT block is charged as if it were executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from midge.measure.timing import BlockCost, Unaligned
from midge.measure.timing.thumb import Instruction, decode

# Pipeline refill P, 1 to 3 (3.3.1): 1 when an immediate branch goes to an aligned word, since the fetch starts early.
_REFILL_EARLY, _REFILL, _REFILL_AFTER_LOAD = 1, 2, 3
# TBB, TBH (3.3.2): two cycles for the load, one for the addition, three for the reload.
_TABLE_BRANCH = 3
_FIXED = {
    # SDIV, UDIV: 2 to 12, ends early for small quotients (3.3.1): the middle.
    **dict.fromkeys(("sdiv", "udiv"), 7),
    # 1 or 2, and 1 and the wait of a barrier (3.3.1): 2.
    **dict.fromkeys(("mrs", "msr", "cps", "dmb", "dsb", "isb"), 2),
    # 7.2.3: multiply-accumulates 3, division and square root 14.
    **dict.fromkeys(("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"), 3),
    **dict.fromkeys(("vdiv", "vsqrt"), 14),
}
# 3.3.2: loads in two or three parts. Stores do not hold up the core, because of the write buffer.
UNALIGNED = Unaligned(halfword=1, word_at_halfword=1, word_at_byte=2)
_FP_ARITHMETIC = ("vadd", "vsub", "vmul", "vnmul", "vdiv", "vsqrt", "vmla", "vmls", "vnml", "vfm", "vfnm", "vcvt")


@dataclass(frozen=True)
class Rules:
    """Where the cores differ. `multiplies`: cycles of those that take more than one. `updates_pipeline`: a load that
    writes its base back can follow another load without waiting."""

    multiplies: Mapping[str, int]
    updates_pipeline: bool


def cost_of(code: bytes, address: int, rules: Rules) -> BlockCost:
    """The cost of one pass through `code`, whole Thumb instructions that lie at `address`."""
    steps = decode(code, address)
    total = open_it = 0
    for before, step in zip((Instruction("start"), *steps), steps, strict=False):
        total += _alone(step, rules) + _beside(before, step, rules)
        open_it = step.it_length or max(0, open_it - 1)
    if not steps or not steps[-1].branches:
        return BlockCost(len(steps), total, total, open_it > 0)
    taken = total + _refill(steps[-1])
    # Not taken, a branch costs 1 (3.3.1); a conditional return inside an IT block is then a skipped instruction.
    skipped = total - _alone(steps[-1], rules) + 1 if steps[-1].conditional else taken
    return BlockCost(len(steps), skipped, taken, open_it > 0)


def _alone(step: Instruction, rules: Rules) -> int:
    """Cycles of an instruction among strangers, without the refill after a branch."""
    if step.kind in ("load many", "store many"):
        return 1 + step.words
    if step.kind in ("load pair", "store pair"):
        return 3
    if step.kind == "table":
        return _TABLE_BRANCH
    if step.kind == "load":
        return 2
    if step.kind == "store":
        # To base plus immediate always one cycle; to base plus register two (3.3.2).
        return 2 if len(step.address) > 1 or step.is_float else 1
    if step.name == "vmov" and step.words > 2:
        return 2
    return rules.multiplies.get(step.name, _FIXED.get(step.name, 1))


def _beside(before: Instruction, step: Instruction, rules: Rules) -> int:
    """What an instruction loses, or gains, behind the one before it."""
    stalls = 0
    if before.kind == "compute" and before.writes & step.address:
        stalls += 1
    if before.name.startswith(_FP_ARITHMETIC) and before.writes & step.reads:
        stalls += 1
    if before.kind == step.kind == "store" and before.updates and before.base in step.address:
        stalls += 1
    return stalls - int(_pipelines(before, step, rules))


def _pipelines(before: Instruction, step: Instruction, rules: Rules) -> bool:
    """Whether an access gives up one cycle because a single load comes before it (3.3.2)."""
    if before.kind != "load" or before.is_float or step.is_float or before.writes & step.address:
        return False
    if step.kind == "load":
        return "pc" not in step.writes and (rules.updates_pipeline or not step.updates)
    return step.kind == "store" and len(step.address) > 1


def _refill(last: Instruction) -> int:
    if last.kind in ("load", "table"):
        return _REFILL_AFTER_LOAD
    return _REFILL_EARLY if last.target is not None and last.target % 4 == 0 else _REFILL
