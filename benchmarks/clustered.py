"""Weights of few values on an emulated core: cycles per MAC, constants and code of two layers.

    python benchmarks/clustered.py [BOARD]     prints a table: 1x1 convolution, fully connected layer

Every output is compared with the interpreter; a difference ends it with an error. Cycles are of the layer's kernel,
requantization included, under a model of the core that docs/benchmarks.md says how far to trust.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from narrow import BOARD, LAYERS, run_layer

from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ir.verify import verify
from midge.settings import Goal, Settings

ROUNDS = 20
# Values of the weights (None: all of int8), with what the compiler is asked for.
ROWS: tuple[tuple[int | None, Goal], ...] = (
    *((count, goal) for goal in ("speed", "balanced", "size") for count in (None, 64, 16, 4)),  # type: ignore[misc]
)


@dataclass(frozen=True)
class Row:
    """One layer with weights of few values: its kernel, cycles per MAC, constants and code in bytes."""

    layer: str
    values: int | None
    goal: Goal
    kernel: str
    cycles_per_mac: float
    const_bytes: int
    code_bytes: int


def clustered(graph: Graph, count: int) -> Graph:
    """The same network, its weights moved to the nearest of `count` values that lie where the weights are dense."""
    weights = graph.tensors["w"]
    assert weights.data is not None
    moved = replace(weights, data=nearest_values(weights.data, count))
    return verify(replace(graph, tensors={**graph.tensors, "w": moved}))


def nearest_values(weights: Array, count: int) -> Array:
    """int8 weights after k-means on a line, from evenly spaced quantiles."""
    flat = weights.reshape(-1).astype(np.float64)
    centers = np.unique(np.quantile(flat, (np.arange(count) + 0.5) / count))
    for _ in range(ROUNDS):
        owner = np.searchsorted((centers[1:] + centers[:-1]) / 2, flat)
        used = np.bincount(owner, minlength=len(centers)) > 0
        sums = np.bincount(owner, flat, minlength=len(centers))
        centers = np.sort(sums[used] / np.bincount(owner, minlength=len(centers))[used])
    table = np.unique(np.rint(centers))
    return np.asarray(table[np.searchsorted((table[1:] + table[:-1]) / 2, flat)].reshape(weights.shape).astype(np.int8))


def measure(name: str, values: int | None, goal: Goal, board: str = BOARD) -> Row:
    """The row of a layer; exact, or an AssertionError."""
    graph = LAYERS[name]("int8")
    graph = graph if values is None else clustered(graph, values)
    program, code, cycles = run_layer(graph, Settings(board=board, precision="as-is", optimize=goal))
    kernel = program.calls[0].variant
    return Row(name, values, goal, kernel, cycles / program.macs, program.constant_bytes, code)


def main() -> None:
    """Print all rows."""
    board = sys.argv[1] if len(sys.argv) > 1 else BOARD
    print(f"{'layer':28}{'values':>8}  {'goal':10}{'kernel':22}{'cycles/MAC':>10}{'constants':>12}{'code':>9}")
    for name in LAYERS:
        for values, goal in ROWS:
            row = measure(name, values, goal, board)
            sizes = f"{row.cycles_per_mac:10.2f}{row.const_bytes:10,} B{row.code_bytes:7,} B"
            print(f"{name:28}{values or 'any':>8}  {goal:10}{row.kernel:22}{sizes}")


if __name__ == "__main__":
    main()
