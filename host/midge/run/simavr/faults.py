"""What a stopped AVR has to say, in words."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\b[Aa]ddress ([0-9a-fA-F]{4})")
_WORDS = {
    "NO_CODE": "a jump to what is not code",
    "RESTARTED": "a jump to address 0 (a null pointer to a function, or a reset)",
    "WATCHDOG": "the watchdog has reset it",
    "HALTED": "an endless loop with nothing in it (abort, a compiler's trap, or an interrupt that nobody handles)",
    "ASLEEP": "it went to sleep, and there are no interrupts to wake it",
}


def fault_words(stop: str, said: str, stack_pointer: int, stack_limit: int, deadline_cycles: int) -> str:
    """Why the core stopped. `stop`: a name of `midge_stop` in core.h; `said`: what simavr has said meanwhile;
    addresses are those of data memory."""
    if stop == "STACK" or (stop == "CRASHED" and stack_pointer + 1 < stack_limit):
        return f"stack overflow: it has grown to 0x{stack_pointer:04x}, its end is at 0x{stack_limit:04x}"
    if stop == "DEADLINE":
        return f"no end within {deadline_cycles} cycles (an endless loop?)"
    if stop == "CRASHED":
        return _crash(said)
    return _WORDS[stop]


def _crash(said: str) -> str:
    found = _ADDRESS.search(said)
    if found is not None:
        access = "write to" if "write" in said else "read of"
        return f"{access} 0x{found[1].lower()}, where there is no memory"
    if "Opcode" in said:
        return "undefined instruction (a jump into data?)"
    return "simavr: " + (" ".join(said.split()) or "the chip does not allow it")
