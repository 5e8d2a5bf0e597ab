"""Weights of few values or low entropy on an emulated core: cycles per MAC, constants and code of two layers.

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
# Weights, by how many values they take or how many of them are zero, with what the compiler is asked for.
ROWS: tuple[tuple[str, Goal], ...] = (
    ("any int8", "speed"),
    ("16 values", "balanced"),
    ("4 values", "balanced"),
    ("any int8", "size"),
    ("64 values", "size"),
    ("16 values", "size"),
    ("4 values", "size"),
    ("75 % zeros", "size"),
)


@dataclass(frozen=True)
class Row:
    """One layer: its weights, its kernel, cycles per MAC, constants and code in bytes."""

    layer: str
    weights: str
    goal: Goal
    kernel: str
    cycles_per_mac: float
    const_bytes: int
    code_bytes: int


def with_weights(graph: Graph, weights: str) -> Graph:
    """The same network with weights as ROWS call them."""
    tensor = graph.tensors["w"]
    assert tensor.data is not None
    amount, _, kind = weights.partition(" ")
    if kind == "values":
        data = nearest_values(tensor.data, int(amount))
    elif kind == "% zeros":
        size = np.abs(tensor.data.astype(np.int64))
        data = np.where(size > np.quantile(size, int(amount) / 100), tensor.data, 0).astype(np.int8)
    else:
        data = tensor.data
    return verify(replace(graph, tensors={**graph.tensors, "w": replace(tensor, data=data)}))


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


def measure(name: str, weights: str, goal: Goal, board: str = BOARD) -> Row:
    """The row of a layer; exact, or an AssertionError."""
    graph = with_weights(LAYERS[name]("int8"), weights)
    program, code, cycles = run_layer(graph, Settings(board=board, precision="as-is", optimize=goal))
    kernel = program.calls[0].variant
    return Row(name, weights, goal, kernel, cycles / program.macs, program.constant_bytes, code)


def main() -> None:
    """Print all rows."""
    board = sys.argv[1] if len(sys.argv) > 1 else BOARD
    print(f"{'layer':28}{'weights':12}{'goal':10}{'kernel':22}{'cycles/MAC':>10}{'constants':>12}{'code':>9}")
    for name in LAYERS:
        for weights, goal in ROWS:
            row = measure(name, weights, goal, board)
            sizes = f"{row.cycles_per_mac:10.2f}{row.const_bytes:10,} B{row.code_bytes:7,} B"
            print(f"{name:28}{weights:12}{goal:10}{row.kernel:22}{sizes}", flush=True)


if __name__ == "__main__":
    main()
