"""Fine-grained sparse fully connected layers on cores without SIMD: cycles, constants and code of the dense kernel and
of the one that midge picks for the same layer with 75 % zeros.

    python benchmarks/sparse_small.py            prints a table: Cortex-M0+, AVR, RV32IMC

Every output is compared with the interpreter; a difference ends it with an error. AVR's cycles are exact, those of the
others a model that docs/benchmarks.md says how far to trust, beside exact instructions. Inputs are drawn evenly.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from midge.boards import load_board
from midge.data import draw_inputs
from midge.importers import Imported
from midge.ir.graph import Graph
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.measure.agreement import agreement
from midge.ops.fully_connected import FullyConnected
from midge.pipeline import compile_graph
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.settings import Goal, Settings

BOARDS = ("cortex-m0plus", "uno", "mega2560", "rv32imc")
LAYERS = ((256, 64), (128, 32), (64, 32), (32, 10))
SPARSITIES = (0.0, 0.75)
# What the Uno's flash does not hold as code or not at all.
_MOST_UNO_MACS = 4096


@dataclass(frozen=True)
class Row:
    """One layer on one board: its kernel, cycles and instructions of the layer, bytes of constants and of code."""

    board: str
    depth: int
    units: int
    sparsity: float
    kernel: str
    cycles: int
    instructions: int | None
    const_bytes: int
    code_bytes: int


def layer(depth: int, units: int, sparsity: float, seed: int = 0) -> Graph:
    """Weights as wide as trained ones are, the smallest of each layer zero; a RELU behind."""
    rng = np.random.default_rng([depth, units, seed])
    data = rng.normal(0, 1, (units, depth))
    data *= np.abs(data) >= np.quantile(np.abs(data), sparsity)
    weights = np.clip(np.rint(data * 127 / np.abs(data).max()), -127, 127).astype(np.int8)
    spread = float(weights.std()) * depth**0.5
    bias = rng.integers(-int(20 * spread), int(20 * spread) + 1, units).astype(np.int32)
    x = Tensor("x", (1, depth), DType.S8, Quant.per_tensor(0.02, -128))
    y = Tensor("y", (1, units), DType.S8, Quant.per_tensor(0.02 * 0.005 * spread, -128))
    w = Tensor("w", weights.shape, DType.S8, Quant.per_tensor(0.005, 0), weights)
    b = Tensor("b", (units,), DType.S32, data=bias)
    op = FullyConnected(name="layer", inputs=("x", "w", "b"), outputs=("y",), clamp=(0.0, float("inf")))
    return verify(Graph("layer", ("x",), ("y",), {t.name: t for t in (x, y, w, b)}, (op,)))


def measure(board: str, graph: Graph, goal: Goal, kernel: str | None = None) -> Row:
    """The row of a layer; exact, or an AssertionError."""
    settings = Settings(
        board=board, precision="as-is", optimize=goal, kernels={"fully_connected": kernel} if kernel else {}
    )
    imported = Imported(graph, Path("layer.tflite"), "0" * 64, "tflite")
    compiled = compile_graph(imported, graph, graph, settings, load_board(board))
    inputs = draw_inputs(graph, 1, seed=0)[0]
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(compiled, Path(folder)) as device:
        sample = device.infer(inputs)
        code = device.image.flash.code_bytes
    differing = agreement(sample.outputs, Interpreter(graph).infer(inputs).outputs).mismatches
    assert not differing, f"{board}, {graph.name}: {differing} values differ"
    program = compiled.program
    weights = graph.tensors["w"].data
    assert weights is not None
    units, depth = weights.shape
    return Row(
        board,
        depth,
        units,
        float((weights == 0).mean()),
        program.calls[0].variant,
        sample.layer_ticks[0],
        sample.instructions,
        program.constant_bytes,
        code,
    )


def main() -> None:
    """Print the rows of the boards and layers asked for."""
    parser = argparse.ArgumentParser(description="Measure sparse layers on cores without SIMD.")
    parser.add_argument("--board", nargs="*", default=BOARDS, choices=BOARDS)
    parser.add_argument("--optimize", default="speed", choices=get_args(Goal))
    args = parser.parse_args()
    print(
        f"{'board':14}{'layer':9}{'zeros':>6} {'kernel':14}{'cycles':>9}{'/ MAC':>7}{'/ dense':>8}{'instr':>9}", end=""
    )
    print(f"{'constants':>12}{'code':>9}")
    for board in args.board:
        for depth, units in LAYERS:
            if board == "uno" and depth * units > _MOST_UNO_MACS:
                continue
            rows = [measure(board, layer(depth, units, sparsity), args.optimize) for sparsity in SPARSITIES]
            for row in rows:
                print(_line(row, rows[0]), flush=True)


def _line(row: Row, dense: Row) -> str:
    shares = f"{row.cycles / row.depth / row.units:7.2f}{row.cycles / dense.cycles:8.2f}"
    name = f"{row.board:14}{f'{row.depth}-{row.units}':9}{row.sparsity:6.2f} {row.kernel:14}"
    return f"{name}{row.cycles:9,}{shares}{row.instructions or 0:9,}{row.const_bytes:10,} B{row.code_bytes:7,} B"


if __name__ == "__main__":
    main()
