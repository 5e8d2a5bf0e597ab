"""Weights of few bits on the emulated Cortex-M4F: modelled cycles per MAC and bytes of constants of two layers.

    python benchmarks/narrow.py            prints a table: 1x1 convolution, fully connected layer

Every output is compared with the interpreter; a difference ends it with an error. Cycles are of the layer's kernel,
requantization included, under a model of the core that docs/benchmarks.md says how far to trust.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from midge.boards import load_board
from midge.data import draw_inputs
from midge.importers import Imported
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.kernels.narrow import FIELDS
from midge.lower.program import Program
from midge.measure.agreement import agreement
from midge.ops.conv2d import Conv2D
from midge.ops.fully_connected import FullyConnected
from midge.pipeline import compile_graph
from midge.run.device import Interpreter
from midge.run.devices import emulated_device
from midge.settings import Settings, Width

BOARD = "nucleo_l4r5zi"
WIDTHS: tuple[Width, ...] = ("int8", "int4", "int2", "ternary", "binary")

ROWS: tuple[tuple[Width, bool], ...] = (*((width, False) for width in WIDTHS), ("binary", True))


@dataclass(frozen=True)
class Row:
    """One layer with weights of one width: its kernel, cycles per MAC, and constants in bytes."""

    layer: str
    width: Width
    kernel: str
    cycles_per_mac: float
    const_bytes: int


def pointwise(width: Width) -> Graph:
    """64 channels to 64 over 25x5 pixels, a RELU behind."""
    return _graph(width, (1, 25, 5, 64), (64, 1, 1, 64), (1, 25, 5, 64))


def dense(width: Width) -> Graph:
    """640 values to 128."""
    return _graph(width, (1, 640), (128, 640), (1, 128))


LAYERS = {"pointwise 64 to 64": pointwise, "fully connected 640 to 128": dense}


def with_signs(graph: Graph) -> Graph:
    """The same with an input that takes two values alone."""
    x = graph.input_tensors[0]
    return replace(graph, tensors={**graph.tensors, x.name: replace(x, levels=(-128, -126))})


def measure(name: str, width: Width, signs: bool = False) -> Row:
    """The row of a layer, compiled with packed weights where they are narrow; exact, or an AssertionError.

    With `signs` its input takes two values, as its binary weights do.
    """
    graph = with_signs(LAYERS[name](width)) if signs else LAYERS[name](width)
    settings = Settings(board=BOARD, precision="as-is", optimize="speed" if width == "int8" else "balanced")
    program, _, cycles = run_layer(graph, settings)
    return Row(name, width, program.calls[0].variant, cycles / program.macs, program.constant_bytes)


def run_layer(graph: Graph, settings: Settings) -> tuple[Program, int, int]:
    """What was compiled of a network with one layer, and bytes of code and cycles of its kernel on the emulated core;
    exact, or an AssertionError."""
    imported = Imported(graph, Path("layer.tflite"), "0" * 64, "tflite")
    compiled = compile_graph(imported, graph, graph, settings, load_board(settings.board))
    inputs = draw_inputs(graph, 1, seed=0)[0]
    with tempfile.TemporaryDirectory(prefix="midge-") as folder, emulated_device(compiled, Path(folder)) as device:
        sample = device.infer(inputs)
        code = device.image.flash.code_bytes
    differing = agreement(sample.outputs, Interpreter(graph).infer(inputs).outputs).mismatches
    assert not differing, f"{graph.name}: {differing} values differ"
    return compiled.program, code, sample.layer_ticks[0]


def main() -> None:
    """Print all rows."""
    print(f"{'layer':28}{'weights':10}{'kernel':22}{'cycles/MAC':>10}{'constants':>12}")
    for name in LAYERS:
        for width, signs in ROWS:
            row, weights = measure(name, width, signs), "signs" if signs else width
            print(f"{name:28}{weights:10}{row.kernel:22}{row.cycles_per_mac:10.2f}{row.const_bytes:10,} B")


def _graph(width: Width, x_shape: tuple[int, ...], w_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Graph:
    rng = np.random.default_rng(64)
    data, units = _weights(rng, width, w_shape), w_shape[0]
    spread = float(data.std()) * (data.size / units) ** 0.5
    scales = tuple(float(np.float32(s)) for s in np.exp(rng.uniform(-6, -5, 1 if len(w_shape) == 2 else units)))
    quant = Quant(scales, (0,) * len(scales), 0 if len(scales) > 1 else None)
    bias = rng.integers(-int(20 * spread), int(20 * spread) + 1, units).astype(np.int32)
    x = Tensor("x", x_shape, DType.S8, Quant.per_tensor(0.02, -128))
    y = Tensor("y", y_shape, DType.S8, Quant.per_tensor(0.02 * scales[0] * spread, -128))
    tensors = [x, y, Tensor("w", w_shape, DType.S8, quant, data), Tensor("b", (units,), DType.S32, data=bias)]
    return verify(Graph("layer", ("x",), ("y",), {t.name: t for t in tensors}, (_op(len(w_shape) == 2),)))


def _op(is_dense: bool) -> Op:
    relu = (0.0, float("inf"))
    if is_dense:
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


def _weights(rng: np.random.Generator, width: Width, shape: tuple[int, ...]) -> Array:
    """As wide as trained ones are, symmetric but for int2."""
    if width == "binary":
        return rng.choice([-1, 1], shape).astype(np.int8)
    low, high = (-127, 127) if width == "int8" else FIELDS[width][:2]
    low = -7 if width == "int4" else low
    return np.clip(np.rint(rng.normal(0, 0.4 * high + 0.3, shape)), low, high).astype(np.int8)


if __name__ == "__main__":
    main()
