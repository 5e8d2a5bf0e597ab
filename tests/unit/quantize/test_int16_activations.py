"""Int16 activations with int8 weights: symmetric, with 64-bit biases, and nearer to the float network than int8."""

from __future__ import annotations

import numpy as np
import pytest

from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import Array, DType
from midge.numerics.fixed_point import quantize_array
from midge.ops.fully_connected import FullyConnected
from midge.ops.logistic import Logistic
from midge.quantize import quantize_graph
from midge.quantize.quality import real_values
from midge.quantize.ranges import Range
from small_graphs import floats, graph

RANGES = {"x": Range(-3, 1), "y": Range(-40, 40), "z": Range(0, 1)}


def network() -> Graph:
    rng = np.random.default_rng(2)
    # Weights that int8 says exactly: what is lost is the activations'.
    steps = rng.integers(-127, 128, (3, 20))
    steps[:, 0] = 127
    weights = floats("w", (3, 20), (steps / 64).astype(np.float32))
    bias = floats("b", (3,), np.array([1.0, -1.0, 0.5], np.float32))
    tensors = [floats("x", (1, 20)), weights, bias, floats("y", (1, 3)), floats("z", (1, 3))]
    dense = FullyConnected(name="dense", inputs=("x", "w", "b"), outputs=("y",), clamp=NO_CLAMP)
    return graph(["x"], ["z"], tensors, [dense, Logistic(name="logistic", inputs=("y",), outputs=("z",))])


def _error(made: Graph, x: Array) -> float:
    (found,) = interpret(made, [quantize_array(x, made.tensors["x"].q, made.tensors["x"].dtype)])
    (expected,) = interpret(network(), [x])
    return float(np.abs(real_values(made.tensors["z"], found) - expected).max())


def test_activations_are_symmetric_int16_and_biases_have_64_bits() -> None:
    tensors = quantize_graph(network(), RANGES, activations=DType.S16).tensors
    assert [tensors[n].dtype for n in "xwbyz"] == [DType.S16, DType.S8, DType.S64, DType.S16, DType.S16]
    assert [tensors[n].q.zero_point for n in "xyz"] == [0, 0, 0]
    assert tensors["x"].q.scale == pytest.approx(3 / 32767, rel=0.02)
    assert tensors["z"].q.scale == 1 / 32768


def test_int16_activations_lose_a_tenth_of_what_int8_ones_lose() -> None:
    rng = np.random.default_rng(7)
    wide, narrow = (quantize_graph(network(), RANGES, activations=t) for t in (DType.S16, DType.S8))
    errors = [(_error(wide, x), _error(narrow, x)) for x in rng.uniform(-3, 1, (20, 1, 20)).astype(np.float32)]
    assert max(e[0] for e in errors) < max(e[1] for e in errors) / 10
