"""Weights with zeros on the emulated Cortex-M4F: modelled cycles and bytes of constants of two layers.

    python benchmarks/sparse.py            prints a table: 1x1 convolution, fully connected layer

Weights are normally distributed; the vectors of channels with the least magnitude are gone, out of all of the layer
(1x4, 1x2) or out of each window of positions (N:M). Every output is compared with the interpreter; a difference ends it
with an error. Cycles are of the layer's kernel, requantization included, under a model of the core that
docs/benchmarks.md says how far to trust.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from narrow import BOARD, LAYERS

from midge.boards import load_board
from midge.data import draw_inputs
from midge.importers import Imported
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.kernels.sparsity import PATTERNS
from midge.measure.agreement import agreement
from midge.pipeline import compile_graph
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.settings import Settings

ROWS = (("dense", 0.0), ("1x4", 0.5), ("1x4", 0.75), ("1x2", 0.75), ("2:4", 0.5), ("1:4", 0.75), ("1:8", 0.875))


@dataclass(frozen=True)
class Ran:
    """A layer's kernel, cycles, multiplications as if nothing were zero, and constants in bytes."""

    kernel: str
    cycles: int
    macs: int
    const_bytes: int


@dataclass(frozen=True)
class Row:
    """One layer with a share of its weights gone; `index_bytes` of its constants say where weights stand, or fill up:
    all beside kept weights and what requantizes."""

    layer: str
    granularity: str
    sparsity: float
    ran: Ran
    index_bytes: int


def sparse(graph: Graph, granularity: str, sparsity: float) -> Graph:
    """The graph with that share of its only layer's weights gone."""
    if granularity == "dense":
        return graph
    w = graph.tensors["w"]
    assert w.data is not None
    pattern = PATTERNS[granularity]
    rows = w.data.reshape(w.shape[0], -1)
    energy = (rows.astype(np.float64) ** 2).reshape(-1, pattern.channels, rows.shape[1]).sum(axis=1)
    if pattern.window:
        windows = energy.reshape(len(energy), -1, pattern.window)
        kept = (windows.argsort(axis=2).argsort(axis=2) >= pattern.window - pattern.kept).reshape(energy.shape)
    else:
        pairs = -np.sort(-energy, axis=1).reshape(len(energy), -1, pattern.multiple).mean(axis=2)
        gone = pairs.reshape(-1).argsort().argsort().reshape(pairs.shape) < round(sparsity * pairs.size)
        kept = (-energy).argsort(axis=1).argsort(axis=1) < pattern.multiple * (~gone).sum(axis=1, keepdims=True)
    data = np.where(np.repeat(kept, pattern.channels, axis=0), rows, 0).reshape(w.shape).astype(np.int8)
    return replace(graph, tensors={**graph.tensors, "w": replace(w, data=data)})


def measure(name: str, granularity: str, sparsity: float) -> Row:
    """The row of a layer, exact, or an AssertionError."""
    graph = sparse(LAYERS[name]("int8"), granularity, sparsity)
    ran = run(graph)
    lanes = 4 if granularity == "dense" else PATTERNS[granularity].channels
    index_bytes = ran.const_bytes - _kept_bytes(graph.tensors["w"].data, lanes) - _other_bytes(graph)
    return Row(name, granularity, sparsity, ran, index_bytes)


def run(graph: Graph, kernel: str | None = None) -> Ran:
    """One layer, exact, or an AssertionError; with `kernel` by another one than midge takes."""
    kernels = {graph.ops[0].kernels: kernel} if kernel else {}
    settings = Settings(board=BOARD, precision="as-is", optimize="speed", kernels=kernels)
    imported = Imported(graph, Path("layer.tflite"), "0" * 64, "tflite")
    compiled = compile_graph(imported, graph, graph, settings, load_board(BOARD))
    inputs = draw_inputs(graph, 1, seed=0)[0]
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(compiled, Path(folder)) as device:
        sample = device.infer(inputs)
    differing = agreement(sample.outputs, Interpreter(graph).infer(inputs).outputs).mismatches
    program = compiled.program
    assert not differing, f"{program.calls[0].variant}: {differing} values differ"
    return Ran(program.calls[0].variant, sample.layer_ticks[0], program.macs, program.constant_bytes)


def _kept_bytes(weights: Array | None, lanes: int) -> int:
    """Weights in vectors of so many channels that are not all zero."""
    assert weights is not None
    return lanes * int((weights.reshape(len(weights) // lanes, lanes, -1) != 0).any(axis=1).sum())


def _other_bytes(graph: Graph) -> int:
    """Three words for each channel, and the sizes that layers with a shared kernel tell it."""
    return 12 * graph.tensors["w"].shape[0] + 40


def main() -> None:
    """Print all rows."""
    heads = f"{'cycles':>10}{'cycles/MAC':>12}{'constants':>12}{'index':>10}{'of kept':>9}"
    print(f"{'layer':28}{'weights':>14}  {'kernel':22}{heads}")
    for name in LAYERS:
        for granularity, sparsity in ROWS:
            row = measure(name, granularity, sparsity)
            ran, weights = row.ran, f"{granularity:>8}{sparsity:6.1%}"
            kept = (1 - sparsity) * LAYERS[name]("int8").tensors["w"].elements
            print(
                f"{name:28}{weights}  {ran.kernel:22}{ran.cycles:10,}{ran.cycles / ran.macs:12.2f}"
                f"{ran.const_bytes:10,} B{row.index_bytes:8,} B{row.index_bytes / kept:9.1%}"
            )


if __name__ == "__main__":
    main()
