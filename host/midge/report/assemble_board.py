"""From an evaluation on a real board to the Report: times are the board's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midge.build.stock_sizes import stock_flash, stock_ram
from midge.measure.evaluation import Evaluation
from midge.report import record
from midge.report.assemble import accuracy_facts, exact_facts, model_facts, precision_of
from midge.run.board import BoardDevice

if TYPE_CHECKING:
    from midge.pipeline import Compiled


def assemble_board(compiled: Compiled, device: BoardDevice, evaluation: Evaluation) -> record.Report:
    """The report; cycles and layers are those of the run of median time."""
    board, image, hz = compiled.board, device.image, device.hello.tick_hz
    clock = record.Clock(
        kind="seconds",
        basis=f"the board's own clock, {hz:,} ticks a second",
        hz=board.clock_hz,
        wait_states=board.wait_states,
        chip_wait_states=board.wait_states,
    )
    latency = _latency(evaluation.run_ticks, hz)
    return record.Report(
        model=model_facts(compiled),
        precision=precision_of(compiled),
        board=board.name,
        core=board.core.name,
        toolchain=record.Toolchain(compiler=image.compiler, version=image.version, flags=image.flags),
        clock=clock,
        instructions=record.Instructions(total=None),
        cycles=_cycles(compiled, evaluation, hz),
        latency_us=latency.median_us,
        latency_is=record.latency_is(clock),
        latency=latency,
        flash=_flash(compiled, device),
        ram=_ram(compiled, device),
        exact=exact_facts(evaluation),
        accuracy=accuracy_facts(evaluation.accuracies),
    )


def _latency(ticks: tuple[int, ...], hz: int) -> record.Latency:
    """`ticks` of every run, sorted; the 99th percentile is the smallest that 99 of 100 do not exceed."""
    runs = len(ticks)
    in_us = [round(1e6 * t / hz, 3) for t in (ticks[0], ticks[runs // 2], ticks[(99 * runs + 99) // 100 - 1])]
    return record.Latency(runs=runs, min_us=in_us[0], median_us=in_us[1], p99_us=in_us[2])


def _cycles(compiled: Compiled, evaluation: Evaluation, hz: int) -> record.Cycles:
    """Ticks as cycles of the core's clock."""
    typical, clock_hz = evaluation.typical, compiled.board.clock_hz

    def in_cycles(ticks: int) -> int:
        return ticks if hz == clock_hz else round(ticks * clock_hz / hz)

    layers = [
        record.LayerCycles(name=call.layer, op=call.op, kernel=call.variant, macs=call.macs, cycles=in_cycles(ticks))
        for call, ticks in zip(compiled.program.calls, typical.layer_ticks, strict=True)
    ]
    return record.Cycles(total=in_cycles(typical.total_ticks), per_layer=tuple(layers), per_function=())


def _flash(compiled: Compiled, device: BoardDevice) -> record.Flash:
    sizes = stock_flash(device.image, compiled.program.prefix)
    return record.Flash(
        code_bytes=sizes.code_bytes,
        const_bytes=sizes.const_bytes,
        harness_bytes=sizes.harness_bytes,
        total_bytes=sizes.total_bytes,
        available_bytes=compiled.board.flash_bytes,
    )


def _ram(compiled: Compiled, device: BoardDevice) -> record.Ram:
    sizes, program = stock_ram(device.image, compiled.program.prefix), compiled.program
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
