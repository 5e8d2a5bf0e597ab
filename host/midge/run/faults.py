"""What a stopped core has to say, in words."""

from __future__ import annotations

# Unicorn's numbers (uc_mem_type, uc_err), spelt out so that this module does without the package.
READ_UNMAPPED, WRITE_UNMAPPED, FETCH_UNMAPPED, WRITE_PROTECTED, READ_PROTECTED, FETCH_PROTECTED = range(19, 25)
INVALID_INSTRUCTION = 10

_ACCESS = {
    READ_UNMAPPED: "read of {} where there is no memory",
    WRITE_UNMAPPED: "write to {} where there is no memory",
    FETCH_UNMAPPED: "jump to {} where there is no memory",
    READ_PROTECTED: "read of {}, which cannot be read",
    WRITE_PROTECTED: "write to flash at {}",
    FETCH_PROTECTED: "jump to {}, which is data",
}
# A push may store this far below the stack pointer before it moves it.
_PUSH_BYTES = 256


def fault_message(
    error: int, *, bad_access: tuple[int, int] | None, exception: str | None, stack_pointer: int, stack_limit: int
) -> str:
    """Why the core stopped.

    `error`: the engine's code, 0 for none; `bad_access`: (kind, address) of the access it refused; `exception`: an
    exception that the firmware caused, in words; `stack_limit`: the lowest address of the stack.
    """
    if bad_access is not None:
        kind, address = bad_access
        below = stack_limit - _PUSH_BYTES <= address < stack_limit
        if kind == WRITE_UNMAPPED and (below or stack_pointer < stack_limit):
            return f"stack overflow: write to 0x{address:08x}, below the stack's end at 0x{stack_limit:08x}"
        return _ACCESS.get(kind, "bad access to {}").format(f"0x{address:08x}")
    if exception is not None:
        return exception
    if error == INVALID_INSTRUCTION:
        return "undefined instruction (a compiler's trap, or a jump into data)"
    if error:
        return f"emulator error {error}"
    return "it went to sleep (WFI or WFE), and there are no interrupts to wake it"
