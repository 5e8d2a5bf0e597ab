"""Where TensorFlow Lite has no integer form, midge's is within the bound that it documents: half a step in int8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.div import Div
from midge.ops.elu import Elu
from midge.ops.families.unary import Unary
from midge.ops.gelu import Gelu
from midge.ops.hard_swish import HardSwish
from midge.ops.log import Log
from midge.ops.neg import Neg
from midge.ops.pow import Pow
from midge.ops.rsqrt import Rsqrt
from midge.ops.sign import Sign
from midge.ops.sqrt import Sqrt
from midge.ops.square import Square
from midge.ops.sum import Sum

ALL = np.arange(-128, 128, dtype=np.int8)
ALL_INT16 = np.arange(-32768, 32768).astype(np.int16)
Reals = NDArray[np.float64]


@pytest.mark.parametrize(
    ("kind", "function", "scale"),
    [
        (Neg, np.negative, 0.06),
        (Square, np.square, 0.2),
        (Sqrt, np.sqrt, 0.02),
        (Log, np.log, 0.05),
        (Sign, np.sign, 0.01),
    ],
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


@pytest.mark.parametrize("reach", [0.5, 1.0, 4.0, 8.0, 64.0])
@pytest.mark.parametrize(
    ("op", "steps"),
    [
        (Elu(name="layer", inputs=("x",), outputs=("y",)), 3),
        (Gelu(name="layer", inputs=("x",), outputs=("y",), approximate=False), 3),
        (Gelu(name="layer", inputs=("x",), outputs=("y",), approximate=True), 3),
        (HardSwish(name="layer", inputs=("x",), outputs=("y",)), 3),
        (Square(name="layer", inputs=("x",), outputs=("y",)), 3),
        (Neg(name="layer", inputs=("x",), outputs=("y",)), 2),
    ],
)
def test_lines_of_int16_are_within_the_documented_steps(op: Unary, steps: int, reach: float) -> None:
    x = Quant.per_tensor(reach / 32768, 0)
    expected = op.real(ALL_INT16.astype(np.float64) * x.scale)
    y = Quant.per_tensor(float(np.float32(np.abs(expected).max() / 32767)), 0)
    found = op.int16(x, y, ALL_INT16)
    assert np.abs(found - np.clip(expected / y.scale, -32768, 32767)).max() <= steps


@pytest.mark.parametrize("spanned", [256, 1024, 8192])
@pytest.mark.parametrize("reach", [0.1, 1.0, 7.3, 100.0])
@pytest.mark.parametrize(("kind", "share"), [(Log, 1 / 8), (Sqrt, 1 / 40), (Rsqrt, 1 / 12)])
def test_lines_of_steep_int16_functions_are_within_the_documented_bound(
    kind: type[Unary], share: float, reach: float, spanned: int
) -> None:
    op, x = kind(name="layer", inputs=("x",), outputs=("y",)), Quant.per_tensor(reach / 32768, 0)
    n = np.arange(256, 32768)
    expected = op.real(n * x.scale)
    # The scale spans the results from `spanned` on; a step nearer to 0 the anchors saturate.
    y = Quant.per_tensor(float(np.float32(np.abs(expected[n >= spanned]).max() / 32767)), 0)
    error = np.abs(op.int16(x, y, n.astype(np.int16)) * y.scale - expected)
    size = 1.0 if kind is Log else np.abs(expected)
    bound = 3 * y.scale + size * share * (128 / n) ** 2
    assert (error <= bound)[n >= spanned + 128].all()


def test_a_square_root_in_int16_is_within_a_hundredth_near_zero() -> None:
    x, y = Quant.per_tensor(1 / 32768, 0), Quant.per_tensor(1 / 32767, 0)
    n = np.arange(256)
    found = Sqrt(name="layer", inputs=("x",), outputs=("y",)).int16(x, y, n.astype(np.int16))
    assert np.abs(found * y.scale - np.sqrt(n * x.scale)).max() <= 0.012


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


@pytest.mark.parametrize(("scale", "exponents"), [(0.02, 0.01), (0.1, 0.02), (0.5, 0.004), (0.05, 2 / 255)])
def test_a_power_is_within_half_a_step(scale: float, exponents: float) -> None:
    x = Tensor("x", (256, 1), DType.S8, Quant.per_tensor(scale, -100))
    z = Tensor("z", (256,), DType.S8, Quant.per_tensor(exponents, -30))
    y = Tensor("y", (256, 256), DType.S8, Quant.per_tensor(0.07, -60))
    (found,) = Pow(name="layer", inputs=("x", "z"), outputs=("y",)).evaluate([x, z], [y], [ALL[:, None], ALL])
    base, exponent = (ALL.astype(np.float64) + 100)[:, None] * x.q.scale, (ALL.astype(np.float64) + 30) * z.q.scale
    with np.errstate(all="ignore"):
        expected = np.nan_to_num(np.power(np.abs(base), exponent) / y.q.scale, posinf=1e9) - 60
    positive = np.broadcast_to(base >= 0, expected.shape)
    assert (np.abs(found - np.clip(expected, -128, 127)) <= 0.502)[positive].all()


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5])
def test_a_negative_base_has_powers_by_whole_exponents(exponent: float) -> None:
    x = Tensor("x", (256,), DType.S8, Quant.per_tensor(0.03, 10))
    z = Tensor("z", (), DType.S8, Quant.per_tensor(abs(exponent) / 100 or 1.0, 0))
    y = Tensor("y", (256,), DType.S8, Quant.per_tensor(0.2, -20))
    given = np.array(100 if exponent > 0 else -100 if exponent else 0, np.int8)
    (found,) = Pow(name="layer", inputs=("x", "z"), outputs=("y",)).evaluate([x, z], [y], [ALL, given])
    base = (ALL.astype(np.float64) - 10) * x.q.scale
    with np.errstate(all="ignore"):
        expected = np.power(base, exponent) / y.q.scale - 20
    expected = np.nan_to_num(expected, nan=-20.0, posinf=1e9)
    assert (np.abs(found - np.clip(expected, -128, 127)) <= 0.502).all()


def test_a_power_of_whole_numbers_keeps_the_low_bits() -> None:
    x, y = (
        np.array(v, np.int32)
        for v in ([2, 3, -3, 7, 10, 0, 0, 1, -1, -1, 5, 0], [3, 4, 3, 20, 9, 0, 5, -7, -3, -2, -1, -2])
    )
    t = Tensor("x", x.shape, DType.S32)
    (found,) = Pow(name="layer", inputs=("x", "z"), outputs=("y",)).evaluate([t, t], [t], [x, y])
    expected = [8, 81, -27, 7**20 & 0xFFFFFFFF, 10**9, 1, 0, 1, -1, 1, 0, 0]
    assert found.tolist() == [v - (1 << 32) if v >= 1 << 31 else v for v in expected]
