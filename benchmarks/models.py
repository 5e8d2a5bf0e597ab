"""One model on one core: compiled, built, run on golden inputs, every output value compared."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

from midge.data import load_golden
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.measure.agreement import NOTHING_COMPARED, agreement
from midge.measure.evaluation import Evaluation
from midge.pipeline import compile_model
from midge.report.assemble import assemble
from midge.run.devices import EmulatedDevice, QemuDevice, emulated_device
from midge.settings import Settings

Goal = Literal["speed", "size"]

# An int32 multiplier and an int8 shift.
_REQUANTIZE_BYTES = 5


def measure(stem: Path, board: str, goal: Goal, samples: int) -> dict[str, Any]:
    """The figures of `stem`.tflite with the first goldens of `stem`.npz; cycles are those of the sample of median cost.

    Raises MidgeError where the model cannot be compiled, built or run.
    """
    imported = import_model(stem.with_suffix(".tflite"))
    compiled = compile_model(imported, Settings(board=board, precision="as-is", optimize=goal))
    cases = load_golden(stem.with_suffix(".npz"), imported.graph)[:samples]
    total, results = NOTHING_COMPARED, []
    unaligned = unchecked = 0
    with (
        tempfile.TemporaryDirectory(prefix="midge-bench-") as folder,
        emulated_device(compiled, Path(folder)) as device,
    ):
        for inputs, outputs in cases:
            before = _accesses(device)
            results.append(device.infer(inputs))
            unaligned, unchecked = (now - then for now, then in zip(_accesses(device), before, strict=True))
            total = total.plus(agreement(results[-1].outputs, outputs))
        typical = sorted(results, key=lambda r: r.cycles)[len(results) // 2]
        each = tuple((ticks,) for ticks in typical.layer_ticks)
        report = assemble(compiled, device, Evaluation(total, "goldens", None, typical, (), layer_ticks=each))
    program = compiled.program
    return {
        "model": stem.name,
        "core": report.core,
        "optimize": goal,
        "samples": report.exact.samples,
        "mismatches": report.exact.mismatches,
        "macs": report.model.macs,
        "live_macs": program.macs,
        "instructions": report.instructions.total,
        "cycles": report.cycles.total,
        "unaligned_loads": unaligned,
        "unchecked_accesses": unchecked,
        "code_bytes": report.flash.code_bytes,
        "const_bytes": report.flash.const_bytes,
        "live_const_bytes": _needed_const_bytes(compiled.graph),
        "arena_bytes": report.ram.arena_bytes,
        "arena_lower_bound_bytes": report.ram.arena_lower_bound_bytes,
        "ram_bytes": report.ram.arena_bytes + report.ram.scratch_bytes + report.ram.static_bytes,
        "stack_bytes": report.ram.stack_bytes,
        "kernels": _by_kernel(report.cycles.per_layer),
        "compiler": report.toolchain.version,
        "flags": list(report.toolchain.flags),
        "basis": report.clock.basis,
    }


def _accesses(device: EmulatedDevice | QemuDevice) -> tuple[int, int]:
    """(unaligned loads, unchecked accesses) so far; none where the emulator does not tell."""
    if isinstance(device, QemuDevice):
        return 0, 0
    return device.board.unaligned_loads, device.board.unchecked_accesses


def _by_kernel(layers: Any) -> list[dict[str, Any]]:
    """Where cycles go (instructions where there are none): an operator with one kernel together, the dearest first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for layer in layers:
        sums = groups.setdefault((layer.op, layer.kernel), [0, 0, 0])
        for place, value in enumerate((1, layer.cycles or layer.instructions, layer.macs)):
            sums[place] += value
    rows = [
        {"op": op, "kernel": kernel, "layers": n, "cycles": cycles, "macs": macs}
        for (op, kernel), (n, cycles, macs) in groups.items()
    ]
    return sorted(rows, key=lambda row: -row["cycles"])


def _needed_const_bytes(graph: Graph) -> int:
    """Weights, biases and tables as they are, and a multiplier and a shift for each channel of quantized weights."""
    total = 0
    for op in graph.ops:
        for index, tensor in enumerate(graph.inputs_of(op)):
            if tensor.is_constant:
                total += tensor.bytes
                if index in op.weight_axis and tensor.quant is not None and tensor.quant.axis is not None:
                    total += _REQUANTIZE_BYTES * len(tensor.quant.scales)
    return total
