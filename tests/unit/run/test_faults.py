"""Faults in words."""

from __future__ import annotations

import pytest

from midge.run import faults
from midge.run.faults import fault_message

LIMIT = 0x20000000


def message(
    error: int = 0, access: tuple[int, int] | None = None, exception: str | None = None, sp: int = LIMIT
) -> str:
    """The message for a stack that ends at LIMIT."""
    return fault_message(error, bad_access=access, exception=exception, stack_pointer=sp, stack_limit=LIMIT)


def test_the_numbers_are_those_of_the_engine() -> None:
    unicorn = pytest.importorskip("unicorn", reason='needs unicorn: pip install "midge[emulator]"')
    for name in ("READ_UNMAPPED", "WRITE_UNMAPPED", "FETCH_UNMAPPED"):
        assert getattr(faults, name) == getattr(unicorn, f"UC_MEM_{name}")
    for name in ("READ", "WRITE", "FETCH"):
        assert getattr(faults, f"{name}_PROTECTED") == getattr(unicorn, f"UC_MEM_{name}_PROT")
    assert unicorn.UC_ERR_INSN_INVALID == faults.INVALID_INSTRUCTION


@pytest.mark.parametrize("address", [LIMIT - 4, LIMIT - 256])
def test_a_write_just_below_the_stack_is_its_overflow(address: int) -> None:
    assert message(7, (faults.WRITE_UNMAPPED, address), sp=LIMIT + 8).startswith("stack overflow")


def test_a_write_anywhere_with_the_stack_pointer_out_of_bounds_is_its_overflow() -> None:
    assert message(7, (faults.WRITE_UNMAPPED, LIMIT - 5000), sp=LIMIT - 5000).startswith("stack overflow")


@pytest.mark.parametrize("address", [0, LIMIT - 260, LIMIT + 0x100000])
def test_another_stray_write_is_none(address: int) -> None:
    assert message(7, (faults.WRITE_UNMAPPED, address)) == f"write to 0x{address:08x} where there is no memory"


def test_every_other_end_has_words_too() -> None:
    assert "undefined instruction" in message(faults.INVALID_INSTRUCTION)
    assert message(exception="supervisor call (SVC)") == "supervisor call (SVC)"
    assert "WFI" in message()
    assert message(77) == "emulator error 77"
