"""Opens the places where a compiled network runs: builds its firmware, starts it, and speaks with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import serial

from midge.boards import Board, Qemu, Simavr
from midge.build.image import Image
from midge.build.stack import read_frames, worst_stack_bytes
from midge.build.toolchain import compile_firmware, find_toolchain
from midge.errors import DeviceFaultError, LinkError, MidgeError
from midge.ir.tensor import Array
from midge.kernels.select import refuse_floats
from midge.lower.program import Program
from midge.render.project import check_arrays, far_constants
from midge.render.sources import PROTOCOL_MACRO, render_app
from midge.run.conversation import Conversation
from midge.run.device import LinkedDevice, Sample
from midge.run.emulator import EmulatedBoard
from midge.run.exchange import Port
from midge.run.instruction_sets import load_unicorn
from midge.run.layer_kernels import says_kernels
from midge.run.native import start_native
from midge.run.qemu import QemuBoard, qemu_of
from midge.run.serial_handlers import attach
from midge.run.simavr.board import SimavrBoard
from midge.run.simavr.runner import find_runner
from midge.settings import require_own_protocol

if TYPE_CHECKING:
    from midge.pipeline import Compiled

# The functions of firmware/link/stopwatch.c that run between two layers.
_TIMING = frozenset({"midge_stopwatch_lap", "midge_since_mark", "midge_port_ticks"})


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
    layers: tuple[str, ...] = ()

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """One inference through the serial port, with the cost of its one call of midge_<model>_run; what the
        firmware spends there on timing its layers is not part of it."""
        try:
            sample = self.link.infer(inputs)
        except DeviceFaultError as fault:
            raise _in_its_layer(fault, self.layers, self.image, self.board.memory) from fault
        call = self.board.calls(self.run_symbol)[-1]
        hooks = {*_TIMING, self.run_symbol.removesuffix("_run") + "_after_layer"}
        cost = call.cost
        for name in hooks & call.functions.keys():
            cost -= call.functions[name]
        functions = {name: own for name, own in call.functions.items() if name not in hooks}
        return replace(sample, cycles=cost.cycles, instructions=cost.instructions, functions=functions)

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
    layers: tuple[str, ...] = ()

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """One inference through the serial line; ticks become instructions.

        Raises DeviceFaultError when the core has stopped, as far as QEMU can tell, else LinkError.
        """
        try:
            sample = self.link.infer(inputs)
        except LinkError as problem:
            fault = self.board.fault()
            if fault is None:
                raise
            raise _in_its_layer(fault, self.layers, self.image, self.board.memory) from problem
        count, hz = self.board.instructions, self.link.conversation.tick_hz
        total = count(sample.total_ticks, hz)
        layers = tuple(count(ticks, hz) for ticks in sample.layer_ticks)
        return replace(sample, layer_ticks=layers, total_ticks=total, cycles=total, instructions=total)

    def reset(self) -> None:
        """Has the firmware forget all earlier samples."""
        self.link.reset()


def require_twin(board: Board) -> None:
    """Raises now what emulating the board would raise after minutes of other work: BoardError, ToolchainError,
    MissingExtraError."""
    _ = board.twin
    find_toolchain(board.core)
    emulator = board.core.emulator
    if isinstance(emulator, Qemu):
        qemu_of(board)
    elif isinstance(emulator, Simavr):
        find_runner()
    else:
        load_unicorn()


@contextmanager
def emulated_device(compiled: Compiled, work_dir: Path) -> Iterator[EmulatedDevice | QemuDevice]:
    """Build the firmware in `work_dir` and start it on the emulated twin of the board.

    Raises ToolchainError, DoesNotFitError, MissingExtraError, DeviceFaultError, LinkError.
    """
    program, board = compiled.program, compiled.board
    require_own_protocol(compiled.settings)
    _ = board.twin  # where there is none, that is the thing to say
    image = build_firmware(compiled, work_dir)
    run_symbol = f"{program.prefix}_run"
    stack = _worst_stack(board, image, run_symbol, work_dir)
    with emulated_line(image, board, work_dir) as (port, emulated):
        link = _linked(port, program)
        layers = tuple(call.layer for call in program.calls)
        if isinstance(emulated, QemuBoard):
            yield QemuDevice(link, emulated, image, stack, layers)
        else:
            emulated.watch(run_symbol)
            yield EmulatedDevice(link, emulated, image, run_symbol, stack, layers)


def _in_its_layer(
    fault: DeviceFaultError, layers: Sequence[str], image: Image, memory: Callable[[int, int], bytes]
) -> DeviceFaultError:
    """The fault with the layer that was under way, as the firmware's stopwatch has it."""
    try:
        begun = int.from_bytes(memory(image.symbol("midge_layers_begun").address, 2), "little")
    except (MidgeError, OSError):
        return fault  # the emulator has gone down with the core
    if not 0 < begun <= len(layers):
        return fault
    number = begun - 1
    return DeviceFaultError(f"{fault.message}, in layer {number} ({layers[number]})", hint=fault.hint)


@contextmanager
def emulated_line(
    image: Image, board: Board, work_dir: Path
) -> Iterator[tuple[Port, EmulatedBoard | SimavrBoard | QemuBoard]]:
    """Start a firmware on the emulated twin of its board; gives the port of its serial line, and the board.

    Raises BoardError, MissingExtraError.
    """
    if isinstance(board.core.emulator, Qemu):
        with closing(QemuBoard(image, board, work_dir)) as qemu:
            yield qemu.port, qemu
        return
    is_avr = isinstance(board.core.emulator, Simavr)
    emulated = SimavrBoard(image, board) if is_avr else EmulatedBoard(image, board)
    with closing(emulated), attach(emulated) as url, serial.serial_for_url(url) as port:
        yield port, emulated


@contextmanager
def native_device(compiled: Compiled, work_dir: Path, *, sanitize: bool) -> Iterator[LinkedDevice]:
    """Build the firmware for this computer in `work_dir`, with sanitizers when asked, and start it."""
    with start_native(firmware_sources(compiled), work_dir, sanitize=sanitize, defines=_defines(compiled)) as board:
        yield _linked(board.port, compiled.program)


def build_firmware(compiled: Compiled, work_dir: Path) -> Image:
    """The firmware for the board, measuring or of another protocol, compiled and linked in `work_dir`.

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
        defines={**_defines(compiled), **far_constants(compiled.program, compiled.board)},
    )


def firmware_sources(compiled: Compiled) -> dict[str, str]:
    """The generated files of a firmware: the model's and app.c."""
    return {**compiled.sources, "app.c": render_app(compiled.program, compiled.settings.protocol)}


def _defines(compiled: Compiled) -> dict[str, str]:
    return {PROTOCOL_MACRO[compiled.settings.protocol]: "1"}


def _worst_stack(board: Board, image: Image, run_symbol: str, work_dir: Path) -> int | None:
    """The most that one inference can take; only Thumb code can be read for it."""
    if board.core.port != "cortex_m":
        return None
    return worst_stack_bytes(image, run_symbol, read_frames(work_dir))


def _linked(port: Port, program: Program) -> LinkedDevice:
    conversation = Conversation(port, expect_hash=bytes.fromhex(program.hash))
    return LinkedDevice(conversation, program.outputs, says_kernels(conversation, program))
