"""Which kernel each layer runs, as the firmware says it, beside what was compiled."""

from __future__ import annotations

from midge.errors import LinkError
from midge.kernels.select import variants
from midge.kernels.variant import kernel_number
from midge.lower.program import KernelCall, Program
from midge.run.conversation import Conversation


def says_kernels(conversation: Conversation, program: Program) -> bool:
    """Whether the firmware says which kernels its layers run: False from one that is too old to.

    Raises LinkError when they are others than the program's.
    """
    said = conversation.kernels()
    if said is None:
        return False
    if len(said) != len(program.calls):
        raise LinkError(
            f"the firmware has {len(said)} layers, the model {len(program.calls)}", hint="build and flash it again"
        )
    for number, (call, kernel) in enumerate(zip(program.calls, said, strict=True)):
        if kernel != call.kernel_number:
            raise LinkError(
                f"layer {number} ({call.layer}) runs {_name(call, kernel)} on the board, and was compiled for "
                f"{call.variant}",
                hint="build and flash it again",
            )
    return True


def _name(call: KernelCall, number: int) -> str:
    """The variant that a firmware means by a number."""
    for variant in variants(call.op):
        if kernel_number(call.op, variant.name) == number:
            return variant.name
    return f"a kernel that this midge does not know (number {number})"
