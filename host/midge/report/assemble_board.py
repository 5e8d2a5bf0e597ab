"""From an evaluation on a real board to the Report: times are the board's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from midge.boards import Board, Qemu
from midge.build.image import FlashSizes, Image, RamSizes
from midge.build.stock_sizes import stock_flash, stock_ram
from midge.measure.evaluation import Evaluation
from midge.measure.latency import spread
from midge.measure.precision import precision_of
from midge.report import record
from midge.report.assemble import accuracy_facts, arena_facts, exact_facts, layer_cycles, model_facts
from midge.report.latency import in_microseconds
from midge.run.board import BoardDevice
from midge.run.conversation import Hello

if TYPE_CHECKING:
    from midge.pipeline import Compiled


@dataclass(frozen=True)
class _Counter:
    """What the board's ticks are. `hz`: of what they become by `counts`; `as_time`: whether that passes in time."""

    clock: record.Clock
    tick_hz: int
    hz: int
    as_time: bool

    def counts(self, ticks: int) -> int:
        """Ticks as cycles of the core's clock, or as instructions."""
        return ticks if self.hz == self.tick_hz else round(ticks * self.hz / self.tick_hz)

    def latency(self, ticks: Sequence[int]) -> record.Latency | None:
        """How a time varies; None where ticks are no time."""
        return in_microseconds(spread(ticks), self.tick_hz) if self.as_time else None


def assemble_board(compiled: Compiled, device: BoardDevice, evaluation: Evaluation) -> record.Report:
    """The report; cycles and layers are those of the run of median time."""
    board, image, prefix = compiled.board, device.image, compiled.program.prefix
    counter = _counter(board, device.hello)
    latency = counter.latency(evaluation.run_ticks)
    cycles = _cycles(compiled, evaluation, counter, device.link.says_kernels)
    total = counter.counts(evaluation.typical.total_ticks)
    return record.Report(
        model=model_facts(compiled),
        precision=precision_of(compiled.graph),
        board=board.name,
        core=board.core.name,
        toolchain=_toolchain(image),
        clock=counter.clock,
        instructions=record.Instructions(total=None if counter.as_time else total),
        cycles=cycles,
        latency_us=latency.median_us if latency else None,
        latency_is=record.latency_is(counter.clock),
        latency=latency,
        flash=None if image is None else _flash(compiled, stock_flash(image, prefix)),
        ram=None if image is None else _ram(compiled, stock_ram(image, prefix)),
        arena=arena_facts(compiled),
        exact=exact_facts(evaluation),
        accuracy=accuracy_facts(evaluation.accuracies),
        incomplete=None if evaluation.broken is None else evaluation.broken.message,
    )


def _counter(board: Board, hello: Hello) -> _Counter:
    """A real board counts its own time, an emulated one behind a port what its emulator counts."""
    hz, waits = hello.tick_hz, board.wait_states
    if not hello.is_emulated:
        basis = f"the board's own clock, {hz:,} ticks a second"
        clock = record.Clock(kind="seconds", basis=basis, hz=board.clock_hz, wait_states=waits, chip_wait_states=waits)
        return _Counter(clock, hz, board.clock_hz, as_time=True)
    timing, emulator = board.twin.timing, board.twin.emulator
    clock = record.Clock(kind=timing.kind, basis=timing.basis, hz=board.clock_hz, wait_states=0, chip_wait_states=waits)
    per_second = 10**9 >> emulator.icount_shift if isinstance(emulator, Qemu) else hz
    return _Counter(clock, hz, per_second, as_time=timing.kind != "instructions")


def _cycles(compiled: Compiled, evaluation: Evaluation, counter: _Counter, said: bool) -> record.Cycles:
    """`said`: the board has named the kernels."""
    spent = zip(compiled.program.calls, evaluation.typical.layer_ticks, evaluation.layer_ticks, strict=True)
    layers = tuple(
        layer_cycles(call, said, counter.counts(ticks), counter.as_time, counter.latency(runs))
        for call, ticks, runs in spent
    )
    total = counter.counts(evaluation.typical.total_ticks) if counter.as_time else None
    return record.Cycles(total=total, per_layer=layers, per_function=())


def _toolchain(image: Image | None) -> record.Toolchain:
    if image is None:
        return record.Toolchain(compiler="unknown", version="the board ran this model already", flags=())
    return record.Toolchain(compiler=image.compiler, version=image.version, flags=image.flags)


def _flash(compiled: Compiled, sizes: FlashSizes) -> record.Flash:
    return record.Flash(
        code_bytes=sizes.code_bytes,
        const_bytes=sizes.const_bytes,
        harness_bytes=sizes.harness_bytes,
        total_bytes=sizes.total_bytes,
        available_bytes=compiled.board.flash_bytes,
    )


def _ram(compiled: Compiled, sizes: RamSizes) -> record.Ram:
    program = compiled.program
    return record.Ram(
        arena_bytes=program.arena_bytes,
        arena_lower_bound_bytes=program.arena_lower_bound_bytes,
        state_bytes=program.state_bytes,
        scratch_bytes=0,
        static_bytes=sizes.model_bytes - program.arena_bytes,
        stack_bytes=None,
        harness_bytes=sizes.harness_bytes,
        total_bytes=sizes.total_bytes,
        available_bytes=compiled.board.ram_bytes,
    )
