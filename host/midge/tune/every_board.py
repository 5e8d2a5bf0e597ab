"""What a model would take on every board, and the cheapest change that makes it fit where it does not.

One firmware is built for each core, with ample memory, and runs one inference on the core's emulated twin; boards
differ in their clock and in what they have. Where there is no compiler, sizes are estimated; where there is no twin, or
one that counts instructions alone, no latency is given. Everything says which it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec

from midge.boards import Board, load_board
from midge.build.image import Image
from midge.data import Dataset, draw_inputs
from midge.errors import (
    BoardError,
    DeviceFaultError,
    DoesNotFitError,
    MidgeError,
    MissingExtraError,
    ToolchainError,
    UnsupportedModelError,
)
from midge.importers import Imported
from midge.pipeline import Compiled, compile_graph, compile_model
from midge.progress import Progress, silent
from midge.run.device import Sample
from midge.run.devices import build_firmware, emulated_device
from midge.settings import Goal, Settings

_AMPLE_BYTES = 16 * 2**20
# What 16 bits address, without the registers.
_AVR_RAM_BYTES = 2**16 - 2**9
# Where nothing has run: as deep as the kernels' and the protocol's frames have been seen.
_STACK_BYTES = 1024
_AVR_STACK_BYTES = 256
_UNBUILT = (BoardError, MissingExtraError, ToolchainError, DoesNotFitError, UnsupportedModelError)


@dataclass(frozen=True)
class BoardFit:
    """A model on a board. `sizes` and `basis` say where bytes and latency come from, `ran` what was run, with which
    compiler (empty for nothing); `advice` is empty when it fits.

    `latency_us` and `instructions` of one inference are None where nothing tells them. `lower_bound`: the latency is
    without the wait states of the board's flash.
    """

    board: Board
    fits: bool
    flash_bytes: int
    ram_bytes: int
    sizes: str
    latency_us: float | None
    lower_bound: bool
    instructions: int | None
    ran: str
    basis: str
    advice: str


@dataclass(frozen=True)
class Footprint:
    """Bytes of flash and RAM of a whole firmware, and where they come from. `refused`: why it cannot be built."""

    flash_bytes: int
    ram_bytes: int
    sizes: str
    refused: str = ""

    def fits(self, board: Board) -> bool:
        """Whether it can be built, and the board has as much."""
        return not self.refused and self.flash_bytes <= board.flash_bytes and self.ram_bytes <= board.ram_bytes


@dataclass(frozen=True, eq=False)
class _OnCore:
    """What is the same for all boards of a core. `sample` is None where nothing ran, for the reason in `basis`."""

    compiled: Compiled
    footprint: Footprint
    sample: Sample | None
    stack_bytes: int
    ran: str
    basis: str


def fit_boards(
    imported: Imported, settings: Settings, names: Sequence[str], data: Dataset | None, progress: Progress = silent
) -> tuple[BoardFit, ...]:
    """The model on each of those boards, in their order. Raises MidgeError as `compile_model`."""
    boards = [load_board(name) for name in names]
    if not boards:
        return ()
    first = compile_model(imported, replace(settings, board=names[0]), data, progress)
    known: dict[tuple[str, bool, bool], _OnCore] = {}
    found = []
    for board in progress(boards, "building for every core"):
        like = board.core.name, board.has_twin, board.constants_in_ram
        if like not in known:
            known[like] = _on_core(_compiled_for(first, board, settings.optimize))
        found.append(_judge(board, known[like]))
    return tuple(found)


def _compiled_for(compiled: Compiled, board: Board, goal: Goal) -> Compiled:
    settings = replace(compiled.settings, optimize=goal)
    return compile_graph(compiled.imported, compiled.canonical, compiled.graph, settings, board)


def _ample(compiled: Compiled) -> Compiled:
    """The same for a board with as much memory as its address map allows: to learn the size of what does not fit."""
    board = compiled.board
    memory = board.twin.memory
    distance = abs(memory.ram_address - memory.flash_address)
    flash = min(_AMPLE_BYTES, distance)
    ram = _AVR_RAM_BYTES if board.core.address_space else flash
    return replace(compiled, board=msgspec.structs.replace(board, flash_bytes=flash, ram_bytes=ram))


def _on_core(compiled: Compiled) -> _OnCore:
    """Build and run one inference; whatever of that cannot be had is left out."""
    is_avr = compiled.board.core.address_space
    try:
        # An AVR is emulated with the memories that it has.
        runs = compiled if is_avr else _ample(compiled)
        with _work_dir() as folder, emulated_device(runs, folder) as device:
            sample = device.infer(draw_inputs(compiled.graph, 1, compiled.settings.seed)[0])
            stack, image = device.board.stack_high_water_bytes(), device.image
    except (*_UNBUILT, DeviceFaultError) as problem:
        if isinstance(problem, DeviceFaultError) and not is_avr:
            raise
        basis, stack = f"nothing was run: {_first_line(problem)}", _AVR_STACK_BYTES if is_avr else _STACK_BYTES
        return _OnCore(compiled, _without_running(compiled, stack), None, stack, "", basis)
    core, compiler = compiled.board.core, f"{image.compiler} {image.flags[-1]}"
    ran = f"{core.name}, {compiler}"
    return _OnCore(compiled, _footprint(image, stack), sample, stack, ran, compiled.board.twin.timing.basis)


def _without_running(compiled: Compiled, stack_bytes: int) -> Footprint:
    """Sizes from linking, or an estimate where nothing links."""
    try:
        with _work_dir() as folder:
            return _footprint(build_firmware(_ample(compiled), folder), stack_bytes)
    except _UNBUILT as problem:
        program, harness = compiled.program, compiled.board.core.harness
        flash, ram = program.constant_bytes + harness.flash_bytes, program.arena_bytes + harness.ram_bytes
        ram += compiled.board.constants_in_ram * program.constant_bytes
        # What a compiler refuses no installation cures; an error of what is missing says what to install.
        # What does not fit ample memory, no board of the core has room for.
        refused = _first_line(problem) if isinstance(problem, DoesNotFitError | UnsupportedModelError) else ""
        if isinstance(problem, ToolchainError) and not problem.hint:
            refused = f"{_first_line(problem)} its firmware"
        return Footprint(flash, ram, f"estimated: {_first_line(problem)}", refused)


@contextmanager
def _work_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="midge-") as folder:
        yield Path(folder)


def _first_line(problem: MidgeError) -> str:
    return problem.message.splitlines()[0].rstrip(":")


def _footprint(image: Image, stack_bytes: int) -> Footprint:
    ram = image.ram
    return Footprint(image.flash.total_bytes, ram.model_bytes + ram.harness_bytes + stack_bytes, "linked")


def _judge(board: Board, core: _OnCore) -> BoardFit:
    size, sample = core.footprint, core.sample
    in_time = sample is not None and board.twin.timing.kind != "instructions"
    basis = core.basis
    if in_time and board.wait_states:
        basis += f"; without the {board.wait_states} wait states of the flash at {board.clock_hz / 1e6:g} MHz"
    return BoardFit(
        board=board,
        fits=size.fits(board),
        flash_bytes=size.flash_bytes,
        ram_bytes=size.ram_bytes,
        sizes=size.sizes,
        latency_us=round(1e6 * sample.cycles / board.clock_hz, 3) if sample is not None and in_time else None,
        lower_bound=in_time and board.wait_states > 0,
        instructions=None if sample is None else sample.instructions,
        ran=core.ran,
        basis=basis,
        advice="" if size.fits(board) else _advice(board, core),
    )


def _advice(board: Board, core: _OnCore) -> str:
    """The cheapest change that makes it fit: other kernels, else how much smaller the network has to become."""
    smallest = core.footprint
    if smallest.refused:
        return f"another core: {smallest.refused}"
    goals: tuple[Goal, ...] = get_args(Goal)
    for goal in goals[goals.index(core.compiled.settings.optimize) + 1 :]:
        other = _without_running(_compiled_for(core.compiled, board, goal), core.stack_bytes)
        if other.fits(board):
            return f"--optimize {goal}: {other.flash_bytes:,} bytes of flash and {other.ram_bytes:,} of RAM"
        if other.flash_bytes + other.ram_bytes < smallest.flash_bytes + smallest.ram_bytes:
            smallest = other
    too_much = []
    if (flash := smallest.flash_bytes - board.flash_bytes) > 0:
        too_much.append(_less_flash(flash, core.compiled.program.constant_bytes))
    if (ram := smallest.ram_bytes - board.ram_bytes) > 0:
        too_much.append(_less_ram(ram, core.compiled))
    quantized = (
        "int8 with --data to calibrate on (a quarter of the size), else " if core.compiled.graph.is_float else ""
    )
    return quantized + "; ".join(too_much)


def _less_flash(bytes_: int, constants: int) -> str:
    if bytes_ >= constants:
        return f"{bytes_:,} bytes of flash too many, more than the weights have: a board with more flash"
    return f"{bytes_:,} bytes of flash too many: prune {100 * bytes_ / constants:.0f} % of the weights"


def _less_ram(bytes_: int, compiled: Compiled) -> str:
    layer, peak = _peak(compiled)
    if bytes_ >= peak:
        return f"{bytes_:,} bytes of RAM too many, more than the arena has: a board with more RAM"
    return f"{bytes_:,} bytes of RAM too many: a smaller input or fewer channels at {layer}, where {peak:,} are alive"


def _peak(compiled: Compiled) -> tuple[str, int]:
    """The layer during which most bytes are alive, and how many."""
    buffers, ops = compiled.lifetimes.buffers, compiled.graph.ops
    alive = [sum(b.bytes for b in buffers if b.first <= step <= b.last) for step in range(len(ops))]
    step = max(range(len(ops)), key=alive.__getitem__)
    return ops[step].name, alive[step]
