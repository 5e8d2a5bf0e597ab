"""Parts of a tensor become slices: the same values, each with a lifetime of its own."""

from __future__ import annotations

import numpy as np
import pytest

from midge.interpreter import interpret
from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.ops.split import Split
from midge.ops.unpack import Unpack
from midge.passes import slice_parts


@pytest.mark.parametrize(
    "op",
    [
        Split(name="parts", inputs=("x",), outputs=("a", "b", "c"), axis=1, sizes=(1, 3, 2)),
        Unpack(name="parts", inputs=("x",), outputs=("a", "b", "c"), axis=2),
    ],
)
def test_slices_hold_the_parts(op: Op) -> None:
    quant = Quant.per_tensor(0.1, 3)
    x = Tensor("x", (2, 6, 3), DType.S8, quant)
    outputs = [Tensor(n, s, DType.S8, quant) for n, s in zip(op.outputs, op.infer([x]), strict=True)]
    graph = verify(Graph("net", ("x",), op.outputs, {t.name: t for t in (x, *outputs)}, (op,)))
    made = verify(slice_parts(graph))
    values = np.random.default_rng(0).integers(-128, 128, x.shape).astype(np.int8)
    assert [op.kind for op in made.ops] == ["slice"] * 3
    assert [op.name for op in made.ops] == ["parts", "parts_1", "parts_2"]
    for found, expected in zip(interpret(made, [values]), interpret(graph, [values]), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)
