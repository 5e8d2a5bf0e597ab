"""Cycles of the Cortex-M7 with tightly coupled memories: a simple model of two instructions issued a cycle, in order.

Arm publishes no timings. The rules are what others found on an STM32H7 (github.com/jnk0le/random, "pipeline cycle
test", cortex_m7; quinapalus.com/cm7cycles.html) and what LLVM schedules by (ARMScheduleM7.td):

  - An ALU in each of two stages: addresses, shifted operands and bit fields need their sources one cycle earlier than
    other operands. Sums, moves and shifts whose sources are there early are themselves done early.
  - In one cycle at most two loads, one store, one multiply, one of shifter, bit field and SIMD, one branch, one of the
    FPU. Two loads only where they are known to lie in different banks: same base, an odd number of words apart. No
    multiply beside a store. Loads and stores of several registers go alone, two registers a cycle.
  - Late results: words 1 cycle for the ALU and 2 for a multiply, bytes and halfwords 2, products 2 (1 as accumulator).
  - Branches are predicted; the one that ends a loop is not (7 cycles, between the 6 and 8 measured).

What it leaves out makes it read low: waits carried over from one block to the next, caches and flash. What it does not
know makes it read high: pairs across a branch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from midge.measure.timing import BlockCost, Unaligned
from midge.measure.timing.thumb import Instruction, decode

# Measured: 3 for the older of two instructions, 4 for the younger.
UNALIGNED = Unaligned(halfword=3, word_at_halfword=3, word_at_byte=3)
_MISPREDICTED, _INDIRECT = 7, 2
_DIVIDE, _FP_DIVIDE, _FP_LATENCY, _FP_MULTIPLY_ADD = 7, 16, 3, 5
_NEEDS_EARLY = ("ubfx", "sbfx", "bfi", "rbit", "rev", "pkh", "sxta", "uxta")
_SHIFTS = ("lsl", "lsr", "asr", "ror")
_DONE_EARLY = ("add", "sub", "mov", *_SHIFTS)
_SHIFTER = (*_NEEDS_EARLY, "bfc", "sxt", "uxt", "clz", "ssat", "usat", "sadd", "uadd", "ssub", "usub", "qadd", "qsub")
_SHIFTER_TOO = (*_SHIFTER, "shadd", "uhadd", "sel", "uqadd", "uqsub", "usad")


@dataclass
class _Issue:
    """The state of issue: `clock`, what went out in this cycle, and when each register is there for whom."""

    clock: int = 0
    together: list[Instruction] = field(default_factory=list)
    late: dict[str, int] = field(default_factory=dict)
    early: dict[str, int] = field(default_factory=dict)
    factor: dict[str, int] = field(default_factory=dict)
    accumulator: dict[str, int] = field(default_factory=dict)

    def put(self, step: Instruction) -> None:
        """Issue one instruction as soon as its sources and a slot are there."""
        start = max(self.clock, self._sources(step))
        if start == self.clock and self.together and not _fits_beside(self.together, step):
            start += 1
        if start > self.clock:
            self.clock, self.together = start, []
        self.together.append(step)
        done_early = self._done_early(step)
        extra = _cycles(step) - 1
        self.clock += extra
        if extra:
            self.together = [step]
        for register in step.writes:
            self._result(register, step, done_early)

    def _sources(self, step: Instruction) -> int:
        if step.kind.startswith("store"):
            data = [self.accumulator.get(r, 0) - 1 for r in step.reads - step.address]
            return max([self.early.get(r, 0) for r in step.address] + data, default=0)
        early = step.address | step.shifted | (step.reads if step.name.startswith(_NEEDS_EARLY) else frozenset())
        waits = [self.early.get(r, 0) for r in early] + [self.accumulator.get(r, 0) for r in step.accumulator]
        others = self.factor if step.is_multiply else self.late
        waits += [others.get(r, 0) for r in step.reads - early - step.accumulator]
        return max(waits, default=0)

    def _done_early(self, step: Instruction) -> bool:
        if step.kind != "compute" or step.shifted or not step.name.startswith(_DONE_EARLY):
            return False
        older = len(self.together) == 1
        ready = all(self.early.get(r, 0) <= self.clock for r in step.reads)
        return ready and (older or step.name.startswith(_SHIFTS))

    def _result(self, register: str, step: Instruction, done_early: bool) -> None:
        late, early, factor, accumulator = 1, 2, 1, 1
        if done_early:
            late, early, factor, accumulator = 0, 1, 0, 0
        elif step.updates and register == step.base:
            late, early = 1, 1
        elif step.kind == "load":
            narrow = "b" in step.name or "h" in step.name
            late, early, factor = (2, 3, 2) if narrow else (1, 2, 2)
        elif step.is_multiply:
            late, early, factor = 2, 3, 2
        elif step.is_float:
            late = early = factor = _FP_MULTIPLY_ADD if "ml" in step.name or "fm" in step.name else _FP_LATENCY
        self.late[register] = self.clock + late
        self.early[register] = self.clock + early
        self.factor[register] = self.clock + factor
        self.accumulator[register] = self.clock + accumulator


def block_costs(code: bytes, address: int) -> BlockCost:
    """The cost of one pass through `code`, whole Thumb instructions that lie at `address`."""
    steps = decode(code, address)
    if not steps:
        return BlockCost(0, 0, 0)
    issue, open_it = _Issue(), 0
    for step in steps:
        issue.put(step)
        open_it = step.it_length or max(0, open_it - 1)
    total, last = issue.clock + 1, steps[-1]
    if not last.branches:
        return BlockCost(len(steps), total, total, open_it > 0)
    indirect = last.target is None
    taken = total + (_MISPREDICTED if last.kind == "table" else _INDIRECT * indirect)
    loop_end = last.conditional and not indirect and last.target is not None and last.target <= address + len(code)
    skipped = total + _MISPREDICTED * loop_end if last.conditional else taken
    return BlockCost(len(steps), skipped, taken, open_it > 0)


def _cycles(step: Instruction) -> int:
    """How long an instruction holds the issue."""
    if step.kind in ("load many", "store many", "load pair", "store pair"):
        return max(1, (step.words + 1) // 2)
    if step.name in ("sdiv", "udiv"):
        return _DIVIDE
    return _FP_DIVIDE if step.name in ("vdiv", "vsqrt") else 1


def _fits_beside(together: list[Instruction], step: Instruction) -> bool:
    if len(together) > 1 or _alone(step) or _alone(together[0]):
        return False
    older = together[0]
    if older.kind == step.kind == "load":
        return _different_banks(older, step)
    if {older.kind, step.kind} == {"store"} or older.branches:
        return False
    if "store" in (older.kind, step.kind) and (older.is_multiply or step.is_multiply):
        return False
    if older.is_multiply and step.is_multiply:
        return False
    if older.is_float and step.is_float and older.kind == step.kind == "compute":
        return False
    return not (_shifts(older) and _shifts(step))


def _alone(step: Instruction) -> bool:
    several = step.kind in ("load many", "store many", "load pair", "store pair", "table")
    return several or step.name in ("sdiv", "udiv", "mrs", "msr", "dmb", "dsb", "isb") or step.words > 2


def _different_banks(older: Instruction, younger: Instruction) -> bool:
    words = not older.name.endswith(("b", "h")) and not younger.name.endswith(("b", "h"))
    same_base = older.base == younger.base and len(older.address) <= 1 >= len(younger.address)
    return words and same_base and not older.updates and abs(older.offset - younger.offset) % 8 == 4


def _shifts(step: Instruction) -> bool:
    return (bool(step.shifted) and not step.is_multiply) or step.name.startswith(_SHIFTER_TOO)
