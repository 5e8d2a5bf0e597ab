"""The linear function that stands for an int8 ADD equals it on all pairs of values."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Clamp, Graph
from midge.ir.tensor import Quant
from midge.kernels.add.dsp import VARIANT, plane
from midge.kernels.select import layer_of
from midge.ops.add import Add
from small_graphs import graph, int8s

VALUES = np.arange(-128, 128, dtype=np.int8)
ALL_PAIRS = [np.repeat(VALUES, 256).reshape(1, -1), np.tile(VALUES, 256).reshape(1, -1)]


def addition(x: Quant, y: Quant, out: Quant, clamp: Clamp = NO_CLAMP) -> Graph:
    shape = (1, 65536)
    tensors = [int8s("x", shape, x), int8s("y", shape, y), int8s("z", shape, out)]
    return graph(["x", "y"], ["z"], tensors, [Add(name="add", inputs=("x", "y"), outputs=("z",), clamp=clamp)])


@pytest.mark.parametrize(
    ("x", "y", "out", "clamp"),
    [
        ((0.039, -128), (0.104, 4), (0.051, -128), (0.0, inf)),
        ((0.084, 38), (0.217, -2), (0.127, -128), (0.0, inf)),
        ((0.041, -2), (0.041, -1), (0.058, -3), NO_CLAMP),
        ((0.001, 127), (1.0, -128), (0.7, 0), NO_CLAMP),
    ],
)
def test_a_plane_equals_the_definition_on_all_pairs(
    x: tuple[float, int], y: tuple[float, int], out: tuple[float, int], clamp: Clamp
) -> None:
    g = addition(*(Quant.per_tensor(*q) for q in (x, y, out)), clamp)
    found = plane(layer_of(g, 0))
    assert found is not None
    a, b = (v.astype(np.int64) for v in ALL_PAIRS)
    sums = a * found.factor0 + b * found.factor1 + found.offset
    assert np.abs(sums).max() < 1 << 31
    (expected,) = interpret(g, ALL_PAIRS)
    assert np.array_equal(np.clip(sums >> found.shift, -128, 127), expected)


def test_a_clamp_above_the_lowest_int8_does_not_fit() -> None:
    q = Quant.per_tensor(0.05, 0)
    assert not VARIANT.fits(layer_of(addition(q, q, q, (-1.0, 1.0)), 0))
