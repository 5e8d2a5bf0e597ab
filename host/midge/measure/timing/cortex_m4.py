"""Cycles of the Cortex-M4(F) at zero wait states, from its Technical Reference Manual (Arm 100166, r0p1).

Instruction costs are those of the table in 3.3.1, pipelining of loads and stores of 3.3.2, the FPU's of 7.2.3. What the
manual gives as a range is fixed here, each with its reason. Not counted: penalties of unaligned accesses (1 or 2 cycles
each, 3.3.2), contention of literal loads with the fetch unit, IT instructions folded away, and waiting for flash.
A conditional instruction inside an IT block is charged as if it were executed.

Checked against 13 functions of pqm4 on a NUCLEO-L4R5ZI at 24 MHz: such a sum reads 0.6 to 2.7 % low.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from midge.errors import MissingExtraError
from midge.measure.timing import BlockCost

# Pipeline refill P, 1 to 3 (3.3.1): 1 when an immediate branch goes to an aligned word, since the fetch starts early.
_REFILL_EARLY, _REFILL, _REFILL_AFTER_LOAD = 1, 2, 3
# SDIV, UDIV: 2 to 12, ends early for small quotients (3.3.1): the middle.
_DIVIDE = 7
_FIXED = {"sdiv": _DIVIDE, "udiv": _DIVIDE, "mrs": 2, "msr": 2, "cps": 2, "dmb": 2, "dsb": 2, "isb": 2} | {
    # 7.2.3: multiply-accumulates 3, division and square root 14.
    **dict.fromkeys(("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"), 3),
    **dict.fromkeys(("vdiv", "vsqrt"), 14),
}
_LOADS = {f"ldr{kind}" for kind in ("", "b", "h", "sb", "sh", "t", "bt", "ht", "sbt", "sht", "ex", "exb", "exh")}
_STORES = {f"str{kind}" for kind in ("", "b", "h", "t", "bt", "ht", "ex", "exb", "exh")}
_MULTIPLE = {"ldm", "ldmdb", "stm", "stmdb", "push", "pop"}
_FP_MULTIPLE = {"vldmia", "vldmdb", "vstmia", "vstmdb", "vpush", "vpop"}
_BRANCHES = {"b", "bl", "blx", "bx", "cbz", "cbnz"}
_FP_ARITHMETIC = ("vadd", "vsub", "vmul", "vnmul", "vdiv", "vsqrt", "vmla", "vmls", "vnml", "vfm", "vfnm", "vcvt")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Step:
    """One instruction as the pipeline sees it.

    `cycles` alone, without its neighbors, and `refill` more when it branches. `address`: registers that make up its
    memory address. `computed`: registers an ALU instruction leaves behind; `loaded`: those of a single load;
    `fp`: those of FPU arithmetic. `pipelines`: it gives up one cycle behind a single load.
    """

    cycles: int
    reads: frozenset[str] = _NOTHING
    address: frozenset[str] = _NOTHING
    computed: frozenset[str] = _NOTHING
    loaded: frozenset[str] = _NOTHING
    fp: frozenset[str] = _NOTHING
    pipelines: bool = False
    refill: int = 0
    conditional: bool = False
    it_length: int = 0


def block_costs(code: bytes, address: int) -> BlockCost:
    """The cost of one pass through `code`, whole Thumb instructions that lie at `address`."""
    steps = list(_steps(code, address))
    total = open_it = 0
    previous = _Step(0)
    for step in steps:
        total += step.cycles + _stalls(previous, step)
        previous = step
        open_it = step.it_length or max(0, open_it - 1)
    # Not taken, a branch costs 1 (3.3.1); a conditional return inside an IT block is then a skipped instruction.
    skipped = total - previous.cycles + 1 if previous.refill and previous.conditional else total + previous.refill
    return BlockCost(len(steps), skipped, total + previous.refill, open_it > 0)


def _stalls(previous: _Step, step: _Step) -> int:
    pipelined = step.pipelines and bool(previous.loaded) and not previous.loaded & step.address
    late_address = bool(previous.computed & step.address)
    late_float = bool(previous.fp & step.reads)
    return int(late_address) + int(late_float) - int(pipelined)


def _steps(code: bytes, address: int) -> Iterator[_Step]:
    decoded = {i.address - address: i for i in _disassembler().disasm(code, address)}
    at = 0
    while at < len(code):
        first = int.from_bytes(code[at : at + 2], "little")
        wide = first >> 11 in (0b11101, 0b11110, 0b11111)
        second = int.from_bytes(code[at + 2 : at + 4], "little") if wide else 0
        # What the disassembler does not know is a rare ALU instruction: 1 cycle. It stops there, so go on behind it.
        if at not in decoded:
            rest = _disassembler().disasm(code[at + (4 if wide else 2) :], address + at + (4 if wide else 2))
            decoded |= {i.address - address: i for i in rest}
        yield _step(decoded[at], first, second) if at in decoded else _Step(1)
        at += 4 if wide else 2


def _step(instruction: Any, first: int, second: int) -> _Step:
    name = instruction.insn_name()
    read, written = ({instruction.reg_name(r) for r in group} for group in instruction.regs_access())
    reads, conditional = frozenset(read), instruction.cc not in (0, 15)
    if name == "it":
        mask = first & 0xF
        return _Step(1, it_length=4 - ((mask & -mask).bit_length() - 1))
    if name in _BRANCHES or name.startswith("tb"):
        return _branch(instruction, name, conditional)
    if name in _MULTIPLE:
        words = _register_count(first, second)
        address = frozenset({"sp"} if name in ("push", "pop") else {instruction.reg_name(instruction.operands[0].reg)})
        return _Step(1 + words, reads, address, refill=_REFILL * ("pc" in written), conditional=conditional)
    memory = [operand.mem for operand in instruction.operands if operand.type == _memory_operand()]
    if memory and name != "pld":
        base_and_index = {instruction.reg_name(r) for r in (memory[0].base, memory[0].index) if r} - {"pc"}
        return _access(name, frozenset(base_and_index), reads, instruction, "pc" in written)
    if name in _FP_MULTIPLE:
        return _Step(1 + (second & 0xFF), reads)
    if name == "vmov" and len(instruction.operands) >= 3:
        return _Step(2, reads)
    fp = frozenset(written) if name.startswith(_FP_ARITHMETIC) else _NOTHING
    computed = _NOTHING if name.startswith("v") else frozenset(written)
    refill = _REFILL * ("pc" in written)
    return _Step(_FIXED.get(name, 1), reads, computed=computed, fp=fp, refill=refill, conditional=conditional)


def _branch(instruction: Any, name: str, conditional: bool) -> _Step:
    if name.startswith("tb"):
        return _Step(2, refill=_REFILL_AFTER_LOAD)
    target = instruction.operands[-1]
    direct = target.type == _immediate_operand()
    refill = _REFILL_EARLY if direct and target.imm % 4 == 0 else _REFILL
    return _Step(1, refill=refill, conditional=conditional or name in ("cbz", "cbnz"))


def _access(name: str, address: frozenset[str], reads: frozenset[str], instruction: Any, loads_pc: bool) -> _Step:
    """A load or store of one or two registers (3.3.2)."""
    first = frozenset({instruction.reg_name(instruction.operands[0].reg)})
    if loads_pc:
        return _Step(2, reads, address, refill=_REFILL_AFTER_LOAD, conditional=instruction.cc not in (0, 15))
    if name in ("vldr", "vstr"):
        return _Step(3 if next(iter(first)).startswith("d") else 2, reads, address)
    if name in ("ldrd", "strd"):
        return _Step(3, reads, address)
    if name in _LOADS:
        return _Step(2, reads, address, loaded=first, pipelines=True)
    # A store to base plus immediate is always one cycle; one to base plus register can hide a cycle behind a load.
    register_offset = name in _STORES and len(address) > 1
    return _Step(2 if register_offset else 1, reads, address, pipelines=register_offset)


def _register_count(first: int, second: int) -> int:
    """How many registers an LDM, STM, PUSH or POP moves: bits of its register list."""
    if first >> 11 in (0b11101, 0b11110, 0b11111):
        return second.bit_count()
    extra = first >> 8 & 1 if first >> 12 == 0xB else 0
    return (first & 0xFF).bit_count() + extra


@lru_cache
def _disassembler() -> Any:
    try:
        import capstone
    except ImportError as error:
        raise MissingExtraError(
            "cycle counting needs the capstone package", hint='pip install "midge[emulator]"'
        ) from error
    disassembler = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    disassembler.detail = True
    return disassembler


@lru_cache
def _memory_operand() -> int:
    from capstone import arm

    return int(arm.ARM_OP_MEM)


@lru_cache
def _immediate_operand() -> int:
    from capstone import arm

    return int(arm.ARM_OP_IMM)
