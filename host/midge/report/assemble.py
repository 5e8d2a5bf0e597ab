"""From an evaluation on an emulated core to the Report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from midge.boards import Board
from midge.lower.program import KernelCall
from midge.measure.evaluation import Accuracies, Evaluation
from midge.measure.latency import spread
from midge.measure.precision import precision_of
from midge.report import record
from midge.report.latency import in_microseconds
from midge.run.devices import EmulatedDevice, QemuDevice

if TYPE_CHECKING:
    from midge.pipeline import Compiled


def assemble(compiled: Compiled, device: EmulatedDevice | QemuDevice, evaluation: Evaluation) -> record.Report:
    """The report; cycles are those of the sample of median cost."""
    board, image, typical = compiled.board, device.image, evaluation.typical
    clock = record.Clock(
        kind=board.twin.timing.kind,
        basis=board.twin.timing.basis,
        hz=board.clock_hz,
        wait_states=0,
        chip_wait_states=board.wait_states,
    )
    return record.Report(
        model=model_facts(compiled),
        precision=precision_of(compiled.graph),
        board=board.name,
        core=board.core.name,
        toolchain=record.Toolchain(compiler=image.compiler, version=image.version, flags=image.flags),
        clock=clock,
        instructions=record.Instructions(total=typical.instructions),
        cycles=_cycles(compiled, evaluation, device.link.says_kernels),
        latency_us=None if in_instructions(board) else round(1e6 * typical.cycles / board.clock_hz, 3),
        latency_is=record.latency_is(clock),
        latency=_latency(evaluation.run_ticks, compiled, evaluation),
        flash=record.Flash(
            code_bytes=image.flash.code_bytes,
            const_bytes=image.flash.const_bytes,
            harness_bytes=image.flash.harness_bytes,
            total_bytes=image.flash.total_bytes,
            available_bytes=board.flash_bytes,
        ),
        ram=_ram(compiled, device),
        arena=arena_facts(compiled),
        exact=exact_facts(evaluation),
        accuracy=accuracy_facts(evaluation.accuracies),
    )


def model_facts(compiled: Compiled) -> record.Model:
    """The model file."""
    return record.Model(
        name=compiled.imported.graph.name,
        sha256=compiled.imported.sha256,
        macs=compiled.imported.graph.macs,
        file_bytes=compiled.imported.file_bytes,
    )


def arena_facts(compiled: Compiled) -> tuple[record.ArenaBuffer, ...]:
    """The plan of the arena by layers: operators that compute nothing (views) are none, so that steps become fewer."""
    graph = compiled.graph
    makers = {
        name: f"{kind} {name}" for kind, names in (("input", graph.inputs), ("state", graph.updates)) for name in names
    }
    makers |= {name: op.name for op in graph.ops for name in op.outputs}
    before = list(accumulate((not op.is_view for op in graph.ops), initial=0))
    most = max(before[-1] - 1, 0)
    return tuple(
        record.ArenaBuffer(
            name=makers.get(buffer.name, buffer.name),
            offset=compiled.plan.offsets[buffer.name],
            bytes=buffer.bytes,
            first=(first := min(before[buffer.first], most)),
            last=max(first, before[min(buffer.last + 1, len(graph.ops))] - 1),
        )
        for buffer in (*compiled.lifetimes.buffers, *compiled.lifetimes.states)
    )


def exact_facts(evaluation: Evaluation) -> record.Exact:
    """What comparing every output has shown."""
    found = evaluation.agreement
    return record.Exact(
        against=evaluation.against,
        samples=found.samples,
        values=found.values,
        mismatches=found.mismatches,
        max_difference=found.max_difference,
    )


def in_instructions(board: Board) -> bool:
    """Whether the emulated core counts instructions alone: then its ticks are instructions, and no time."""
    return board.twin.timing.kind == "instructions"


def _cycles(compiled: Compiled, evaluation: Evaluation, said: bool) -> record.Cycles:
    """`said`: the firmware has named the kernels."""
    typical, no_cycles = evaluation.typical, in_instructions(compiled.board)
    layers = [
        layer_cycles(call, said, ticks, not no_cycles, _latency(runs, compiled, evaluation))
        for call, ticks, runs in zip(compiled.program.calls, typical.layer_ticks, evaluation.layer_ticks, strict=True)
    ]
    functions = [
        record.FunctionCycles(name=name, cycles=None if no_cycles else cost.cycles, instructions=cost.instructions)
        for name, cost in sorted(typical.functions.items(), key=lambda item: -item[1].cycles)
    ]
    total = None if no_cycles else typical.cycles
    return record.Cycles(total=total, per_layer=tuple(layers), per_function=tuple(functions))


def layer_cycles(
    call: KernelCall, said: bool, spent: int, as_time: bool, latency: record.Latency | None
) -> record.LayerCycles:
    """What a layer spent: cycles, or instructions where those are no time. `said`: the firmware named its kernel."""
    return record.LayerCycles(
        name=call.layer,
        op=call.op,
        kernel=call.variant,
        kernel_is_reported=said,
        macs=call.macs,
        const_bytes=call.constant_bytes,
        packed=call.width,
        cycles=spent if as_time else None,
        instructions=None if as_time else spent,
        latency=latency,
    )


def _latency(ticks: Sequence[int], compiled: Compiled, evaluation: Evaluation) -> record.Latency | None:
    """How a time varies, where that was asked for; instructions make no time."""
    if not evaluation.was_timed or in_instructions(compiled.board):
        return None
    return in_microseconds(spread(ticks), compiled.board.clock_hz)


def _ram(compiled: Compiled, device: EmulatedDevice | QemuDevice) -> record.Ram:
    """The arena holds the scratch memory too; `static` is what else of the model's is in RAM."""
    ram, program = device.image.ram, compiled.program
    stack = device.board.stack_high_water_bytes()
    return record.Ram(
        arena_bytes=program.arena_bytes,
        arena_lower_bound_bytes=program.arena_lower_bound_bytes,
        state_bytes=program.state_bytes,
        scratch_bytes=0,
        static_bytes=ram.model_bytes - program.arena_bytes,
        stack_bytes=stack,
        stack_worst_bytes=device.worst_stack_bytes,
        stack_reserved_bytes=ram.stack_bytes,
        harness_bytes=ram.harness_bytes,
        total_bytes=ram.model_bytes + stack + ram.harness_bytes,
        available_bytes=compiled.board.ram_bytes,
    )


def accuracy_facts(found: Accuracies | None) -> record.Accuracy | None:
    """Accuracies, where there were labels."""
    if found is None:
        return None
    return record.Accuracy(
        metric=found.metric,
        samples=found.samples,
        float_=found.float_percent,
        integer=found.integer_percent,
        device=found.device_percent,
    )
