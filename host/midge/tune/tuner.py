"""Measures every kernel variant that a model's layers could have, on the emulated core."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from midge.data import draw_inputs
from midge.errors import CheckFailedError
from midge.ir.graph import Graph, Op
from midge.kernels.select import able_variants, layer_of
from midge.kernels.timings import signature
from midge.measure.agreement import agreement
from midge.pipeline import Compiled, compile_graph
from midge.progress import Progress, silent
from midge.run.device import Interpreter
from midge.run.devices import emulated_device

Measured = Mapping[str, Mapping[str, int]]


def tune(compiled: Compiled, progress: Progress = silent) -> Measured:
    """Cycles of each variant of each layer that has a choice: {signature: {variant: cycles}}.

    Every variant's outputs are compared with the interpreter's while it is measured: CheckFailedError when they differ.
    """
    graph, core = compiled.graph, compiled.board.core
    todo: dict[str, tuple[Op, tuple[str, ...]]] = {}
    for index, op in enumerate(graph.ops):
        if op.is_view:
            continue
        layer = layer_of(graph, index)
        able = able_variants(layer, core)
        if len(able) > 1:
            todo.setdefault(signature(layer), (op, tuple(v.name for v in able)))
    trials = [(key, op, name) for key, (op, names) in todo.items() for name in names]
    measured: dict[str, dict[str, int]] = {}
    for key, op, name in progress(trials, f"measuring kernels on {core.name}"):
        measured.setdefault(key, {})[name] = _cycles(compiled, op, name)
    return measured


def _cycles(compiled: Compiled, op: Op, variant: str) -> int:
    """Cycles of one layer alone with that variant, on drawn inputs."""
    part = alone(compiled.graph, op)
    settings = replace(compiled.settings, optimize="speed", kernels={op.kernels: variant})
    trial = compile_graph(compiled.imported, part, part, settings, compiled.board)
    inputs = draw_inputs(part, 1, seed=0)[0]
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(trial, Path(folder)) as device:
        sample = device.infer(inputs)
    if agreement(sample.outputs, Interpreter(part).infer(inputs).outputs).mismatches:
        raise CheckFailedError(
            f"the kernel {op.kernels}/{variant} computes {op.name} wrong",
            hint=f"--kernel {op.kernels}=portable; report this",
        )
    return sample.cycles


def alone(graph: Graph, op: Op) -> Graph:
    """The graph of one op, with its activations as inputs; states stay states where the op updates them."""
    updates = {op.inputs[i]: op.outputs[o] for i, o in op.updates.items()}
    activations = dict.fromkeys(n for n in op.inputs if not graph.tensors[n].is_constant and n not in updates)
    outputs = tuple(n for n in op.outputs if n not in updates.values())
    plain = [replace(graph.tensors[n], initial=None) for n in activations]
    return replace(graph, inputs=tuple(activations), outputs=outputs, updates=updates).with_ops([op], plain)
