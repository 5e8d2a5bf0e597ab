"""Opens the places where a compiled network runs: builds its firmware, starts it, and speaks with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import serial

from midge.boards import Board, Qemu, Simavr
from midge.build.image import Image
from midge.build.stack import read_frames, worst_stack_bytes
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import LinkError
from midge.ir.graph import Array
from midge.kernels.select import refuse_floats
from midge.lower.program import Program
from midge.render.project import check_arrays, far_constants
from midge.render.sources import render_app
from midge.run.conversation import Conversation
from midge.run.device import LinkedDevice, Sample
from midge.run.emulator import EmulatedBoard
from midge.run.native import start_native
from midge.run.qemu import QemuBoard
from midge.run.serial_handlers import attach
from midge.run.simavr.board import SimavrBoard

if TYPE_CHECKING:
    from midge.pipeline import Compiled

_PROFILE = {"MIDGE_PROFILE": "1"}


@dataclass(frozen=True, eq=False)
class EmulatedDevice:
    """The firmware on an emulated core. `board` knows what only a debugger sees.

    `worst_stack_bytes` is the most that one inference can take, from its code; None where that cannot be told.
    """

    link: LinkedDevice
    board: EmulatedBoard | SimavrBoard
    image: Image
    run_symbol: str
    worst_stack_bytes: int | None

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """One inference through the serial port, with the cost of its one call of midge_<model>_run."""
        sample = self.link.infer(inputs)
        call = self.board.calls(self.run_symbol)[-1]
        cost = call.cost
        return replace(sample, cycles=cost.cycles, instructions=cost.instructions, functions=call.functions)

    def reset(self) -> None:
        """Has the firmware forget all earlier samples."""
        self.link.reset()


@dataclass(frozen=True, eq=False)
class QemuDevice:
    """The firmware on a core that QEMU emulates; as EmulatedDevice, but its timer counts the instructions."""

    link: LinkedDevice
    board: QemuBoard
    image: Image
    worst_stack_bytes: int | None

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """One inference through the serial line; ticks become instructions.

        Raises DeviceFaultError when the core has stopped, as far as QEMU can tell, else LinkError.
        """
        try:
            sample = self.link.infer(inputs)
        except LinkError as problem:
            raise self.board.fault() or problem from problem
        count, hz = self.board.instructions, self.link.conversation.tick_hz
        total = count(sample.total_ticks, hz)
        layers = tuple(count(ticks, hz) for ticks in sample.layer_ticks)
        return replace(sample, layer_ticks=layers, total_ticks=total, cycles=total, instructions=total)

    def reset(self) -> None:
        """Has the firmware forget all earlier samples."""
        self.link.reset()


@contextmanager
def emulated_device(compiled: Compiled, work_dir: Path) -> Iterator[EmulatedDevice | QemuDevice]:
    """Build the firmware in `work_dir` and start it on the emulated twin of the board.

    Raises ToolchainError, DoesNotFitError, MissingExtraError, DeviceFaultError, LinkError.
    """
    program, board = compiled.program, compiled.board
    _ = board.twin  # where there is none, that is the thing to say
    image = build_firmware(compiled, work_dir)
    run_symbol = f"{program.prefix}_run"
    stack = _worst_stack(board, image, run_symbol, work_dir)
    if isinstance(board.core.emulator, Qemu):
        with closing(QemuBoard(image, board, work_dir)) as qemu:
            yield QemuDevice(LinkedDevice(_conversation(qemu.port, program), program.outputs), qemu, image, stack)
        return
    is_avr = isinstance(board.core.emulator, Simavr)
    emulated = SimavrBoard(image, board) if is_avr else EmulatedBoard(image, board)
    emulated.watch(run_symbol)
    with closing(emulated), attach(emulated) as url, serial.serial_for_url(url) as port:
        link = LinkedDevice(_conversation(port, program), program.outputs)
        yield EmulatedDevice(link, emulated, image, run_symbol, stack)


@contextmanager
def native_device(compiled: Compiled, work_dir: Path, *, sanitize: bool) -> Iterator[LinkedDevice]:
    """Build the firmware for this computer in `work_dir`, with sanitizers when asked, and start it."""
    with start_native(firmware_sources(compiled), work_dir, sanitize=sanitize, defines=_PROFILE) as board:
        yield LinkedDevice(_conversation(board.port, compiled.program), compiled.program.outputs)


def build_firmware(compiled: Compiled, work_dir: Path) -> Image:
    """The measuring firmware for the board, compiled and linked in `work_dir`.

    Raises ToolchainError, DoesNotFitError, MissingExtraError; UnsupportedModelError for floats that cannot be linked.
    """
    refuse_floats(compiled.selection, compiled.board.core)
    check_arrays(compiled.program, compiled.board)
    return compile_firmware(
        firmware_sources(compiled),
        compiled.board,
        find_toolchain(compiled.board.core),
        work_dir,
        optimize=compiled.settings.optimize,
        defines={**_PROFILE, **far_constants(compiled.program, compiled.board)},
    )


def firmware_sources(compiled: Compiled) -> dict[str, str]:
    """The generated files of a measuring firmware: the model's and app.c."""
    return {**compiled.sources, "app.c": render_app(compiled.program)}


def _worst_stack(board: Board, image: Image, run_symbol: str, work_dir: Path) -> int | None:
    """The most that one inference can take; only Thumb code can be read for it."""
    if board.core.port != "cortex_m":
        return None
    return worst_stack_bytes(image, run_symbol, read_frames(work_dir))


def _conversation(port: object, program: Program) -> Conversation:
    return Conversation(port, expect_hash=bytes.fromhex(program.hash))  # type: ignore[arg-type]
