"""What differs between the instruction sets that Unicorn runs: registers, the first instruction, exceptions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from midge.errors import MissingExtraError
from midge.measure.timing import alignment

Accesses = Callable[[bytes, int], tuple[tuple[alignment.Access, ...], int]]


@dataclass(frozen=True)
class InstructionSet:
    """One of them, with Unicorn's numbers of its registers.

    `new_engine(cpu)` makes a `unicorn.Uc`. `entry` gives stack pointer (None: the firmware sets it) and address of the
    first instruction from the first 8 bytes of the flash and its address. `mark` is set in an address that code is
    started at. `accesses` finds what may be unaligned. `exceptions` are the words for the engine's exception numbers.
    `exception_skips`: how far behind the instruction that caused an exception the engine stands.
    `has_system_control`: a page of system registers at 0xE000E000 is plain memory.
    """

    new_engine: Callable[[str], Any]
    register_number: Callable[[str], int]
    pc: int
    stack_pointer: int
    link: int
    mark: int
    entry: Callable[[bytes, int], tuple[int | None, int]]
    accesses: Accesses
    exceptions: Mapping[int, str]
    exception_skips: int
    has_system_control: bool


def instruction_set(name: str) -> InstructionSet:
    """The one of that name: `thumb` or `rv32`.

    Raises:
        MissingExtraError: the unicorn package is not installed.
    """
    load_unicorn()
    return {"thumb": _thumb, "rv32": _rv32}[name]()


def load_unicorn() -> Any:
    """The unicorn package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import unicorn
    except ImportError as error:
        raise MissingExtraError("emulation needs the unicorn package", hint='pip install "midge[emulator]"') from error
    return unicorn


def _thumb() -> InstructionSet:
    from unicorn import arm_const as arm

    def new_engine(cpu: str) -> Any:
        unicorn = load_unicorn()
        # Not UC_MODE_MCLASS: it would make every core a Cortex-M33.
        engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        engine.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_{cpu}"))
        return engine

    def entry(vectors: bytes, flash_address: int) -> tuple[int | None, int]:
        stack, reset = struct.unpack("<II", vectors)
        return stack, reset & ~1

    return InstructionSet(
        new_engine=new_engine,
        register_number=lambda name: int(getattr(arm, f"UC_ARM_REG_{name.upper()}")),
        pc=arm.UC_ARM_REG_PC,
        stack_pointer=arm.UC_ARM_REG_SP,
        link=arm.UC_ARM_REG_LR,
        mark=1,
        entry=entry,
        accesses=alignment.accesses,
        exceptions={
            2: "supervisor call (SVC)",
            3: "jump to an address without code",
            7: "breakpoint instruction",
        },
        exception_skips=0,
        has_system_control=True,
    )


def _rv32() -> InstructionSet:
    from unicorn import riscv_const as riscv

    def new_engine(cpu: str) -> Any:
        unicorn = load_unicorn()
        engine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        engine.ctl_set_cpu_model(getattr(riscv, f"UC_CPU_{cpu}"))
        return engine

    return InstructionSet(
        new_engine=new_engine,
        register_number=lambda name: int(getattr(riscv, f"UC_RISCV_REG_{name.upper()}")),
        pc=riscv.UC_RISCV_REG_PC,
        stack_pointer=riscv.UC_RISCV_REG_SP,
        link=riscv.UC_RISCV_REG_RA,
        mark=0,
        entry=lambda first, flash_address: (None, flash_address),
        accesses=lambda code, address: ((), 0),
        # Privileged architecture, table of mcause.
        exceptions={
            2: "undefined instruction (a compiler's trap, or a jump into data)",
            **dict.fromkeys((8, 9, 11), "environment call (ECALL)"),
        },
        exception_skips=4,
        has_system_control=False,
    )
