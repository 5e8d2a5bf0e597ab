"""Weight scales that are powers of two apart: one multiplier for the channels of a layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midge.data import load_data
from midge.importers import import_model
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType, Tensor
from midge.passes import CANONICALIZE, run_passes
from midge.quantize.model import quantize_with
from midge.quantize.reconstruct import reconstruct
from midge.quantize.weights import quantize_weights
from midge.settings import Settings, Width

DIGITS = Path(__file__).parents[3] / "examples" / "digits"


def _mantissas(tensor: Tensor) -> set[float]:
    return set(np.frexp(np.array(tensor.q.scales))[0].tolist())


def _weights(rng: np.random.Generator) -> Tensor:
    """Twelve channels up to a thousand times apart, one of them zeros."""
    data = rng.normal(0, 1, (12, 40)) * np.exp(rng.uniform(-7, 0, (12, 1)))
    data[5] = 0
    return Tensor("w", data.shape, DType.F32, data=data.astype(np.float32))


@pytest.mark.parametrize("width", ["int8", "int4", "int2", "ternary"])
def test_scales_are_powers_of_two_apart_and_nearly_as_good(width: Width) -> None:
    weights = _weights(np.random.default_rng(1))

    def error(one_multiplier: bool) -> Array:
        made = quantize_weights(weights, None, 0, 1.0, width, True, one_multiplier=one_multiplier).weights
        assert not one_multiplier or len(_mantissas(made)) == 1
        real = np.asarray(made.data) * np.array(made.q.scales)[:, None]
        return np.asarray(((real - np.asarray(weights.data)) ** 2).sum(axis=1))

    # A scale at most sqrt(2) off has at most twice the squared error of rounding, and clips at most as much again.
    assert error(True).sum() < 3 * error(False).sum()


def test_a_large_bias_raises_a_scale_by_powers_of_two() -> None:
    weights = _weights(np.random.default_rng(2))
    bias = Tensor("b", (12,), DType.F32, data=np.array([1e6] + [0.0] * 11, np.float32))
    made = quantize_weights(weights, bias, 0, 1e-3, one_multiplier=True)
    assert len(_mantissas(made.weights)) == 1
    assert made.bias is not None
    assert abs(int(np.asarray(made.bias.data)[0])) <= 1 << 30


@pytest.fixture(scope="module")
def digits() -> tuple[Graph, list[list[Array]]]:
    graph = run_passes(import_model(DIGITS / "digits.tflite").graph, CANONICALIZE)
    x = load_data(DIGITS / "digits.npz", graph).inputs_for(graph.input_tensors[0])
    return graph, [[v] for v in x[:8]]


def test_learning_a_block_keeps_one_multiplier(digits: tuple[Graph, list[list[Array]]]) -> None:
    graph, seen = digits
    nearest = quantize_with(graph, Settings(weights="int4", one_multiplier=True), seen)
    made = reconstruct(nearest, graph, seen, lambda name: "int4", 0, iterations=20)
    layers = [op for op in made.ops if op.weight_axis]
    assert any(made.tensors[op.inputs[1]].q != nearest.tensors[op.inputs[1]].q for op in layers)
    assert all(len(_mantissas(made.tensors[op.inputs[1]])) == 1 for op in layers)
