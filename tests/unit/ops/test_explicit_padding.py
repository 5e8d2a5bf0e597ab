"""Padding that no TFLite file can spell, as from a fused PAD: the operator must equal PAD and then itself."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from midge.ir.graph import NO_CLAMP, Op, Padding
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.pad import Pad

_NONE: Padding = ((0, 0), (0, 0))
_PADDINGS: list[Padding] = [((1, 0), (0, 2)), ((0, 1), (1, 0)), ((2, 2), (1, 1))]


def _tensor(name: str, shape: tuple[int, ...], dtype: DType, scale: float = 0.1, zero_point: int = 0) -> Tensor:
    return Tensor(name, shape, dtype, Quant.per_tensor(scale, zero_point) if dtype is DType.S8 else None)


def _run(op: Op, inputs: list[Tensor], values: list[Array], quant: Quant | None) -> tuple[Tensor, Array]:
    (shape,) = op.infer(inputs)
    output = Tensor("y", shape, inputs[0].dtype, quant)
    assert op.check(inputs, [output]) == ""
    return output, op.evaluate(inputs, [output], values)[0]


@pytest.mark.parametrize("padding", _PADDINGS)
@pytest.mark.parametrize("dtype", [DType.F32, DType.S8])
@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D])
def test_a_convolution_equals_padding_first(
    kind: type[Conv2D] | type[DepthwiseConv2D], dtype: DType, padding: Padding
) -> None:
    rng = np.random.default_rng(1)
    shape = (4, 3, 2, 3) if kind is Conv2D else (1, 3, 2, 6)
    x = _tensor("x", (2, 5, 6, 3), dtype, zero_point=-7)
    w = _tensor("w", shape, dtype)
    values = [rng.integers(-128, 128, t.shape).astype(dtype.numpy) for t in (x, w)]
    quant = Quant.per_tensor(5, 3) if dtype is DType.S8 else None
    op = kind(name="", inputs=(), outputs=(), stride=(2, 1), dilation=(1, 2), padding=padding, clamp=(0.0, inf))
    output, found = _run(op, [x, w], values, quant)

    pad = Pad(name="", inputs=(), outputs=(), paddings=((0, 0), *padding, (0, 0)))
    padded, padded_value = _run(pad, [x], values[:1], x.quant)
    _, expected = _run(replace(op, padding=_NONE), [padded, w], [padded_value, values[1]], output.quant)
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 10


@pytest.mark.parametrize("padding", [((1, 0), (0, 1)), ((0, 1), (1, 0))])
@pytest.mark.parametrize("dtype", [DType.F32, DType.S8])
def test_pooling_does_not_count_padding(dtype: DType, padding: Padding) -> None:
    x = _tensor("x", (1, 4, 4, 2), dtype, zero_point=5)
    value = np.random.default_rng(2).integers(-128, -60, x.shape).astype(dtype.numpy)
    for kind, reduce in ((AveragePool2D, np.mean), (MaxPool2D, np.max)):
        op = kind(name="", inputs=(), outputs=(), kernel=(2, 2), stride=(2, 2), padding=padding, clamp=NO_CLAMP)
        _, found = _run(op, [x], [value], x.quant)
        top, left = padding[0][0], padding[1][0]
        for i in range(found.shape[1]):
            for j in range(found.shape[2]):
                rows = slice(max(2 * i - top, 0), 2 * i - top + 2)
                columns = slice(max(2 * j - left, 0), 2 * j - left + 2)
                expected = reduce(value[0, rows, columns].astype(np.float64), axis=(0, 1))
                assert np.abs(found[0, i, j] - expected).max() <= (0.5 if dtype is DType.S8 else 1e-5)
