"""Fine-grained sparse layers on cores without SIMD: cycles, constants and code of the dense kernel and of the one that
midge picks for the same layer with 75 % zeros; fully connected ones, and a 1x1 convolution.

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
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.measure.agreement import agreement
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected
from midge.pipeline import compile_graph
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.settings import Goal, Settings

BOARDS = ("cortex-m0plus", "uno", "mega2560", "rv32imc")
# Depth, units, pixels; several pixels are a 1x1 convolution.
LAYERS = ((256, 64, 1), (128, 32, 1), (64, 32, 1), (32, 10, 1), (64, 64, 125))
SPARSITIES = (0.0, 0.75)
# More does not fit the flash as code, or the RAM.
_MOST_MACS = {"uno": 4096, "mega2560": 16384}


@dataclass(frozen=True)
class Row:
    """One layer on one board: its kernel, cycles and instructions of the layer, bytes of constants and of code."""

    board: str
    layer: str
    macs: int
    sparsity: float
    kernel: str
    cycles: int
    instructions: int | None
    const_bytes: int
    code_bytes: int


def layer(depth: int, units: int, sparsity: float, pixels: int = 1) -> Graph:
    """Weights as wide as trained ones are, the smallest of each layer zero; a RELU behind."""
    rng = np.random.default_rng([depth, units, 0])
    data = rng.normal(0, 1, (units, depth))
    data *= np.abs(data) >= np.quantile(np.abs(data), sparsity)
    weights = np.clip(np.rint(data * 127 / np.abs(data).max()), -127, 127).astype(np.int8)
    spread = float(weights.std()) * depth**0.5
    bias = rng.integers(-int(20 * spread), int(20 * spread) + 1, units).astype(np.int32)
    size, shape = ((1, pixels), (units, 1, 1, depth)) if pixels > 1 else ((), (units, depth))
    x = Tensor("x", (1, *size, depth), DType.S8, Quant.per_tensor(0.02, -128))
    y = Tensor("y", (1, *size, units), DType.S8, Quant.per_tensor(0.02 * 0.005 * spread, -128))
    w = Tensor("w", shape, DType.S8, Quant.per_tensor(0.005, 0), weights.reshape(shape))
    b = Tensor("b", (units,), DType.S32, data=bias)
    tensors = {t.name: t for t in (x, y, w, b)}
    return verify(Graph("layer", ("x",), ("y",), tensors, (_op(pixels > 1),)))


def _op(is_convolution: bool) -> Op:
    relu = (0.0, float("inf"))
    if not is_convolution:
        return FullyConnected(name="layer", inputs=("x", "w", "b"), outputs=("y",), clamp=relu)
    return Conv2D(
        name="layer",
        inputs=("x", "w", "b"),
        outputs=("y",),
        stride=(1, 1),
        dilation=(1, 1),
        padding=((0, 0), (0, 0)),
        clamp=relu,
    )


def measure(board: str, name: str, graph: Graph, goal: Goal) -> Row:
    """The row of a layer; exact, or an AssertionError."""
    settings = Settings(board=board, precision="as-is", optimize=goal)
    imported = Imported(graph, Path("layer.tflite"), "0" * 64, "tflite")
    compiled = compile_graph(imported, graph, graph, settings, load_board(board))
    inputs = draw_inputs(graph, 1, seed=0)[0]
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(compiled, Path(folder)) as device:
        sample = device.infer(inputs)
        code = device.image.flash.code_bytes
    differing = agreement(sample.outputs, Interpreter(graph).infer(inputs).outputs).mismatches
    assert not differing, f"{board}, {name}: {differing} values differ"
    program = compiled.program
    weights = graph.tensors["w"].data
    assert weights is not None
    return Row(
        board,
        name,
        program.macs,
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
        f"{'board':14}{'layer':12}{'zeros':>6} {'kernel':16}{'cycles':>11}{'/ MAC':>7}{'/ dense':>8}{'instr':>11}",
        end="",
    )
    print(f"{'constants':>12}{'code':>9}")
    for board in args.board:
        for depth, units, pixels in LAYERS:
            if board in _MOST_MACS and depth * units * pixels > _MOST_MACS[board]:
                continue
            name = f"{depth}-{units}" + (f" x{pixels}" if pixels > 1 else "")
            graphs = [layer(depth, units, sparsity, pixels) for sparsity in SPARSITIES]
            rows = [measure(board, name, graph, args.optimize) for graph in graphs]
            for row in rows:
                print(_line(row, rows[0]), flush=True)


def _line(row: Row, dense: Row) -> str:
    shares = f"{row.cycles / row.macs:7.2f}{row.cycles / dense.cycles:8.2f}"
    name = f"{row.board:14}{row.layer:12}{row.sparsity:6.2f} {row.kernel:16}"
    return f"{name}{row.cycles:11,}{shares}{row.instructions or 0:11,}{row.const_bytes:10,} B{row.code_bytes:7,} B"


if __name__ == "__main__":
    main()
