"""What operators refuse, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from midge.ir.graph import NO_CLAMP, Op
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.conv2d import Conv2D
from midge.ops.dequantize import Dequantize
from midge.ops.leaky_relu import LeakyRelu
from midge.ops.logistic import Logistic
from midge.ops.lookup import Lookup
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.pad import Pad
from midge.ops.quantize import Quantize
from midge.ops.reshape import Reshape
from midge.ops.softmax import Softmax
from midge.ops.sub import Sub
from midge.ops.tanh import Tanh

_NAMES = {"name": "layer", "inputs": (), "outputs": ()}
_QUANT = Quant.per_tensor(0.1, 0)
_S8 = Tensor("a", (1, 4), DType.S8, _QUANT)
_F32 = Tensor("a", (1, 4), DType.F32)
_UNIT = replace(_S8, quant=Quant.per_tensor(1 / 256, -128))
_CONV = Conv2D(**_NAMES, stride=(1, 1), dilation=(1, 1), padding=((0, 0), (0, 0)), clamp=NO_CLAMP)
_IMAGE = Tensor("x", (1, 2, 2, 3), DType.S8, _QUANT)
_WEIGHTS = Tensor("w", (4, 1, 1, 3), DType.S8, _QUANT, np.zeros((4, 1, 1, 3), np.int8))
_ADD, _MUL = Add(**_NAMES, clamp=NO_CLAMP), Mul(**_NAMES, clamp=NO_CLAMP)


def _scaled(tensor: Tensor, scale: float, zero_point: int = 0) -> Tensor:
    return replace(tensor, quant=Quant((scale,), (zero_point,)))


@pytest.mark.parametrize(
    ("op", "inputs", "output", "reason"),
    [
        (_ADD, [replace(_S8, dtype=DType.U8)] * 2, replace(_S8, dtype=DType.U8), "uint8"),
        (_ADD, [replace(_scaled(_S8, 1.0, 3), dtype=DType.S16)] * 2, replace(_S8, dtype=DType.S16), "zero point 3"),
        (_ADD, [replace(_S8, dtype=DType.S64)] * 2, replace(_S8, dtype=DType.S64), "types int64"),
        (_ADD, [_S8, replace(_S8, quant=None)], _S8, "without a scale"),
        (_ADD, [_S8, replace(_S8, quant=Quant((1.0,) * 4, (0,) * 4, 1))], _S8, "per channel"),
        (_ADD, [_S8, _S8], _scaled(_S8, 1e-9), "too fine"),
        (Sub(**_NAMES, clamp=NO_CLAMP), [_S8, _S8], _scaled(_S8, 1e-9), "too fine"),
        (_ADD, [_S8, _scaled(_S8, 0.0)], _S8, "has the scale 0.0"),
        (_ADD, [_S8, _scaled(_S8, nan)], _S8, "has the scale nan"),
        (_ADD, [_S8, _scaled(_S8, 1.0, 128)], _S8, "zero point 128"),
        (_MUL, [_scaled(_S8, 1e30), _scaled(_S8, 1e30)], _S8, "scale factor of inf"),
        (_CONV, [_IMAGE, replace(_WEIGHTS, dtype=DType.F32)], _IMAGE, "dynamic range"),
        (_CONV, [replace(_IMAGE, dtype=DType.F32), _WEIGHTS], _IMAGE, "dynamic range"),
        (_CONV, [_IMAGE, _scaled(_WEIGHTS, 0.1, 3)], _IMAGE, "not symmetric"),
        (_CONV, [_IMAGE, replace(_WEIGHTS, quant=None)], _IMAGE, "no scale"),
        (_CONV, [_IMAGE, _scaled(_WEIGHTS, -1.0)], _IMAGE, "negative"),
        (_CONV, [_IMAGE, replace(_WEIGHTS, quant=Quant((1.0,) * 3, (0,) * 3, 3))], _IMAGE, "axis 3, not 0"),
        (_CONV, [_IMAGE, replace(_WEIGHTS, quant=Quant((1.0,) * 3, (0,) * 3, 0))], _IMAGE, "3 scales for 4"),
        (_CONV, [_IMAGE, _WEIGHTS, replace(_F32, shape=(4,))], _IMAGE, "float32 bias"),
        (_CONV, [_scaled(_IMAGE, 1e20), _WEIGHTS], _IMAGE, "beyond 2^30"),
        (Concatenation(**_NAMES, axis=0), [_S8, _scaled(_S8, 0.2)], _S8, "must be the same"),
        (Reshape(**_NAMES, shape=(4,)), [_S8], _scaled(_S8, 0.1, 1), "must be the same"),
        (Pad(**_NAMES, paddings=((0, 0), (0, 0))), [_S8], _scaled(_S8, 0.2), "must be the same"),
        (Softmax(**_NAMES, beta=1.0), [_S8], _S8, "it must be 0.00390625 and -128"),
        (Softmax(**_NAMES, beta=0.0), [_S8], _UNIT, "beta"),
        (Softmax(**_NAMES, beta=1.0), [_scaled(_S8, 1e-9)], _UNIT, "too small"),
        (Softmax(**_NAMES, beta=1.0), [replace(_S8, shape=(1, 5000))], _UNIT, "5000 classes"),
        (Logistic(**_NAMES), [_S8], _S8, "it must be 0.00390625 and -128"),
        (LeakyRelu(**_NAMES, alpha=-0.5), [_S8], _S8, "slope of -0.5"),
        (LeakyRelu(**_NAMES, alpha=inf), [_F32], _F32, "slope of inf"),
        (Mean(**_NAMES, axes=(1,), keep_dims=False), [replace(_S8, shape=(1, 1 << 24))], _S8, "32 bits"),
        (Quantize(**_NAMES), [_F32], replace(_S8, dtype=DType.U8), "uint8"),
        (Quantize(**_NAMES), [_F32], _F32, "types float32"),
        (Dequantize(**_NAMES), [replace(_S8, dtype=DType.S32)], _F32, "types float32, int32"),
        (Lookup(**_NAMES), [_S8, replace(_S8, shape=(256,))], _S8, "not constant"),
    ],
)
def test_the_reason_says_what_is_wrong(op: Op, inputs: Sequence[Tensor], output: Tensor, reason: str) -> None:
    assert reason in op.check(inputs, [output])


@pytest.mark.parametrize(
    ("op", "inputs", "output"),
    [
        (_ADD, [_F32, _F32], _F32),
        (_CONV, [_IMAGE, replace(_WEIGHTS, quant=Quant((0.0, 1.0, 1.0, 1.0), (0,) * 4, 0))], _IMAGE),
        (Pad(**_NAMES, paddings=((0, 0), (0, 0))), [_S8], _scaled(_S8, 0.1 + 1e-8)),
        (Softmax(**_NAMES, beta=1.0), [_S8], _UNIT),
        (Tanh(**_NAMES), [_S8], _scaled(_S8, 0.3, 5)),
        (Quantize(**_NAMES), [_F32], _S8),
        (Dequantize(**_NAMES), [_S8], _F32),
    ],
)
def test_what_can_be_done_has_no_reason_against_it(op: Op, inputs: Sequence[Tensor], output: Tensor) -> None:
    assert op.check(inputs, [output]) == ""


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (_ADD, [(2, 3), (4, 3)]),
        (_CONV, [(1, 2, 2, 3), (4, 1, 1, 2)]),
        (_CONV, [(2, 2, 3), (4, 1, 1, 3)]),
        (_CONV, [(1, 2, 2, 3), (4, 3, 3, 3)]),
        (_CONV, [(1, 2, 2, 3), (4, 1, 1, 3), (5,)]),
        (Concatenation(**_NAMES, axis=1), [(2, 3), (3, 3)]),
        (Concatenation(**_NAMES, axis=2), [(2, 3)]),
        (Mean(**_NAMES, axes=(2,), keep_dims=True), [(2, 3)]),
        (Pad(**_NAMES, paddings=((1, 1),)), [(2, 3)]),
        (Reshape(**_NAMES, shape=(5,)), [(2, 3)]),
        (Softmax(**_NAMES, beta=1.0), [()]),
        (Lookup(**_NAMES), [(2, 3), (255,)]),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(op: Op, shapes: Sequence[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError):
        op.infer([Tensor("t", shape, DType.F32) for shape in shapes])
