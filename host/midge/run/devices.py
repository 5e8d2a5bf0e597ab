"""Opens the places where a compiled network runs: builds its firmware, starts it, and speaks with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import serial

from midge.build.image import Image
from midge.build.stack import read_frames, worst_stack_bytes
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.ir.graph import Array
from midge.lower.program import Program
from midge.render.sources import render_app
from midge.run.conversation import Conversation
from midge.run.device import LinkedDevice, Sample
from midge.run.emulator import EmulatedBoard
from midge.run.native import start_native
from midge.run.serial_handlers import attach

if TYPE_CHECKING:
    from midge.pipeline import Compiled

_PROFILE = {"MIDGE_PROFILE": "1"}


@dataclass(frozen=True, eq=False)
class EmulatedDevice:
    """The firmware on an emulated core. `board` knows what only a debugger sees.

    `worst_stack_bytes` is the most that one inference can take, from its code; None where that cannot be told.
    """

    link: LinkedDevice
    board: EmulatedBoard
    image: Image
    run_symbol: str
    worst_stack_bytes: int | None

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """One inference through the serial port, with the cost of its one call of midge_<model>_run."""
        before = len(self.board.calls(self.run_symbol))
        sample = self.link.infer(inputs)
        call = self.board.calls(self.run_symbol)[before]
        cost = call.cost
        return replace(sample, cycles=cost.cycles, instructions=cost.instructions, functions=call.functions)


@contextmanager
def emulated_device(compiled: Compiled, work_dir: Path) -> Iterator[EmulatedDevice]:
    """Build the firmware in `work_dir` and start it on the emulated twin of the board.

    Raises ToolchainError, DoesNotFitError, MissingExtraError, DeviceFaultError, LinkError.
    """
    program, board = compiled.program, compiled.board
    image = compile_firmware(
        firmware_sources(compiled),
        board,
        find_toolchain(board.core),
        work_dir,
        optimize=compiled.settings.optimize,
        defines=_PROFILE,
    )
    emulated = EmulatedBoard(image, board)
    run_symbol = f"{program.prefix}_run"
    emulated.watch(run_symbol)
    with attach(emulated) as url, serial.serial_for_url(url) as port:
        link = LinkedDevice(_conversation(port, program), program.outputs)
        stack = worst_stack_bytes(image, run_symbol, read_frames(work_dir))
        yield EmulatedDevice(link, emulated, image, run_symbol, stack)


@contextmanager
def native_device(compiled: Compiled, work_dir: Path, *, sanitize: bool) -> Iterator[LinkedDevice]:
    """Build the firmware for this computer in `work_dir`, with sanitizers when asked, and start it."""
    with start_native(firmware_sources(compiled), work_dir, sanitize=sanitize, defines=_PROFILE) as board:
        yield LinkedDevice(_conversation(board.port, compiled.program), compiled.program.outputs)


def firmware_sources(compiled: Compiled) -> dict[str, str]:
    """The generated files of a measuring firmware: the model's and app.c."""
    return {**compiled.sources, "app.c": render_app(compiled.program)}


def _conversation(port: object, program: Program) -> Conversation:
    return Conversation(port, expect_hash=bytes.fromhex(program.hash))  # type: ignore[arg-type]
