"""The smallest firmware there is to test the emulated core with: an echo that calls one function for each byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from midge.boards import Board
from midge.run.emulator import DEFAULT_DEADLINE_CYCLES, EmulatedBoard

ECHO_MAIN = """
#include "port/port.h"
void midge_t_run(uint8_t byte);
int main(void) {
    uint8_t byte;
    midge_port_init();
    for (;;) {
        if (midge_port_read(&byte, 1) != 0) {
            midge_t_run(byte);
            midge_port_write(&byte, 1);
        }
    }
}
"""


class Boot(Protocol):
    """Builds a firmware around `void midge_t_run(uint8_t byte)` and starts it."""

    def __call__(
        self, model: str, main: str = ECHO_MAIN, board: Board | None = None, deadline: int = DEFAULT_DEADLINE_CYCLES
    ) -> EmulatedBoard: ...


def choice(bodies: Sequence[str]) -> str:
    """`midge_t_run`: byte n calls the function whose body is bodies[n], midge_t_case_n."""
    functions = [
        f"void midge_t_case_{n}(void);\n{body.replace('NAME', f'midge_t_case_{n}')}" for n, body in enumerate(bodies)
    ]
    calls = " ".join(f"case {n}: midge_t_case_{n}(); break;" for n in range(len(bodies)))
    return "\n".join(functions) + f"\nvoid midge_t_run(uint8_t byte) {{ switch (byte) {{ {calls} default: break; }} }}"
