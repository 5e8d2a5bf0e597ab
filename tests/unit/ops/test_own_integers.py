"""Where TensorFlow Lite has no int8 form, midge's is the real function rounded once: within half a step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from midge.ir.graph import NO_CLAMP, DType, Quant, Tensor
from midge.ops.div import Div
from midge.ops.families.unary import Unary
from midge.ops.log import Log
from midge.ops.neg import Neg
from midge.ops.sqrt import Sqrt
from midge.ops.square import Square
from midge.ops.sum import Sum

ALL = np.arange(-128, 128, dtype=np.int8)
Reals = NDArray[np.float64]


@pytest.mark.parametrize(
    ("kind", "function", "scale"),
    [(Neg, np.negative, 0.06), (Square, np.square, 0.2), (Sqrt, np.sqrt, 0.02), (Log, np.log, 0.05)],
)
def test_a_unary_table_is_within_half_a_step(
    kind: type[Unary], function: Callable[[Reals], Reals], scale: float
) -> None:
    x, y = Quant.per_tensor(0.05, -128 if kind in (Sqrt, Log) else 9), Quant.per_tensor(scale, -20)
    real = (ALL.astype(np.float64) - x.zero_point) * x.scale
    with np.errstate(divide="ignore"):
        expected = function(real) / y.scale + y.zero_point
    found = kind(name="layer", inputs=("x",), outputs=("y",)).table(x, y)
    assert (np.abs(found - np.clip(expected, -128, 127)) <= 0.5001).all()


def test_a_quotient_is_within_half_a_step_and_saturates_at_zero() -> None:
    x = Tensor("x", (256, 1), DType.S8, Quant.per_tensor(0.05, 3))
    z = Tensor("z", (256,), DType.S8, Quant.per_tensor(0.1, -7))
    y = Tensor("y", (256, 256), DType.S8, Quant.per_tensor(0.08, 5))
    op = Div(name="layer", inputs=("x", "z"), outputs=("y",), clamp=NO_CLAMP)
    (found,) = op.evaluate([x, z], [y], [ALL[:, None], ALL])
    over, under = (ALL.astype(np.float64) - 3)[:, None] * x.q.scale, (ALL.astype(np.float64) + 7) * z.q.scale
    with np.errstate(all="ignore"):
        expected = np.nan_to_num(over / under / y.q.scale, posinf=1e9, neginf=-1e9) + 5
    assert (np.abs(found - np.clip(expected, -128, 127)) <= 0.501).all()


def test_a_sum_is_within_half_a_step() -> None:
    x = Tensor("x", (50, 30), DType.S8, Quant.per_tensor(0.05, -11))
    y = Tensor("y", (50,), DType.S8, Quant.per_tensor(0.9, 4))
    values = np.random.default_rng(1).integers(-128, 128, (50, 30)).astype(np.int8)
    (found,) = Sum(name="layer", inputs=("x",), outputs=("y",), axes=(1,), keep_dims=False).evaluate([x], [y], [values])
    expected = ((values.astype(np.float64) + 11) * x.q.scale).sum(axis=1) / y.q.scale + 4
    assert (np.abs(found - np.clip(expected, -128, 127)) <= 0.5001).all()
