"""The arithmetic of firmware/nn equals midge.numerics: edges and a million drawn values for each function."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from midge.ir.tensor import DType, Quant
from midge.numerics.fixed_point import (
    divide_half_away,
    multiply_by_quantized_multiplier,
    quantize_array,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from midge.numerics.gemmlowp import exp_on_negative_values, one_over_one_plus_x, reciprocal
from midge.numerics.inverse_root import float_inverse_root
from midge.resources import firmware_dir

# One process: what the tests share is made once.
pytestmark = pytest.mark.xdist_group(__name__)

COUNT = 1_000_000
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
EDGES = (
    INT32_MIN,
    INT32_MIN + 1,
    -(1 << 30) - 1,
    -(1 << 30),
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    (1 << 30) - 1,
    1 << 30,
    INT32_MAX,
)


def _compile(folder: Path, compiler: str, *flags: str) -> ctypes.CDLL:
    if not shutil.which(compiler):
        pytest.skip(f"needs {compiler}: apt-get install {compiler}")
    probe = Path(__file__).with_name("nn_probe.c")
    library = folder / "probe.so"
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    includes = f"-I{firmware_dir() / 'nn'}"
    command = [compiler, *strict, *flags, "-shared", "-fPIC", includes, str(probe), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="module", params=["gcc", "clang"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return _compile(tmp_path_factory.mktemp(request.param), request.param, "-O2")


def _call(library: ctypes.CDLL, name: str, *arrays: NDArray[np.generic], out: type = np.int32) -> NDArray[np.generic]:
    result = np.empty(len(arrays[0]), out)
    pointers = [ctypes.c_void_p(np.ascontiguousarray(a).ctypes.data) for a in (*arrays, result)]
    getattr(library, name)(ctypes.c_int(len(result)), *pointers)
    return result


def _int32s(seed: int) -> NDArray[np.int32]:
    """Drawn values of all magnitudes."""
    rng = np.random.default_rng(seed)
    return (rng.integers(INT32_MIN, INT32_MAX, COUNT, endpoint=True) >> rng.integers(0, 31, COUNT)).astype(np.int32)


def _with_edges(drawn: NDArray[np.int32], others: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Drawn pairs, and every edge with every one of some others."""
    edges = np.array(EDGES, np.int32)
    few = others[:500]
    return np.concatenate([drawn, np.repeat(edges, len(few))]), np.concatenate([others, np.tile(few, len(edges))])


def test_high_multiplication_equals_the_definition(library: ctypes.CDLL) -> None:
    edges = np.array(EDGES, np.int32)
    a, b = _with_edges(_int32s(1), np.concatenate([edges[edges > INT32_MIN], _int32s(2)])[:COUNT])
    keep = ~((a == INT32_MIN) & (b == INT32_MIN))
    a, b = a[keep], b[keep]
    assert np.array_equal(_call(library, "high_mul", a, b), saturating_rounding_doubling_high_mul(a, b))


def test_division_by_a_power_of_two_equals_the_definition(library: ctypes.CDLL) -> None:
    x, exponent = _with_edges(_int32s(3), (np.arange(COUNT) % 32).astype(np.int32))
    assert np.array_equal(_call(library, "divide_by_pot", x, exponent), rounding_divide_by_pot(x, exponent))


def test_requantization_equals_the_definition(library: ctypes.CDLL) -> None:
    x, shift = _with_edges(_int32s(4), (np.arange(COUNT) % 62 - 31).astype(np.int32))
    multiplier = np.random.default_rng(5).integers(0, INT32_MAX, len(x), endpoint=True).astype(np.int32)
    multiplier[::97], multiplier[::89], multiplier[::83] = 0, 1 << 30, INT32_MAX
    expected = multiply_by_quantized_multiplier(x, multiplier, shift)
    assert np.array_equal(_call(library, "requantize", x, multiplier, shift), expected)
    down = shift <= 0
    arguments = x[down], multiplier[down], -shift[down]
    assert np.array_equal(_call(library, "scale_down", *arguments), expected[down])


def test_division_by_a_count_equals_the_definition(library: ctypes.CDLL) -> None:
    divisor = np.random.default_rng(6).integers(1, 1 << 20, COUNT).astype(np.int32)
    x = _int32s(7) >> 1
    assert np.array_equal(_call(library, "divide", x, divisor), divide_half_away(x, divisor))


def test_the_taps_of_a_window_are_those_inside_the_input(library: ctypes.CDLL) -> None:
    ranges = np.meshgrid(np.arange(-9, 9), np.arange(1, 4), np.arange(1, 6), np.arange(1, 7), indexing="ij")
    start, dilation, count, size = (r.reshape(-1).astype(np.int32) for r in ranges)
    first, end = np.empty_like(start), np.empty_like(start)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (start, dilation, count, size, first, end)]
    library.taps(ctypes.c_int(len(start)), *pointers)
    for s, d, n, limit, low, high in zip(
        *(a.tolist() for a in (start, dilation, count, size, first, end)), strict=True
    ):
        assert list(range(low, high)) == [k for k in range(n) if 0 <= s + k * d < limit]


def test_the_reciprocal_equals_the_definition(library: ctypes.CDLL) -> None:
    drawn = np.random.default_rng(8).integers(1 << 31, 1 << 32, COUNT)
    denominator = np.concatenate([drawn, np.arange(1 << 31, (1 << 31) + 5000), np.arange((1 << 32) - 5000, 1 << 32)])
    expected = one_over_one_plus_x(denominator - (1 << 31))
    assert np.array_equal(_call(library, "reciprocal", denominator.astype(np.uint32)), expected)


def test_an_exponential_equals_the_definition(library: ctypes.CDLL) -> None:
    drawn = -np.random.default_rng(12).integers(0, 31 << 26, COUNT)
    x = np.concatenate([drawn, -np.arange(2000), -(np.arange(124) << 24), np.arange(1000) - (31 << 26)]).astype(
        np.int32
    )
    assert np.array_equal(_call(library, "exp_q5", x), exp_on_negative_values(x, 5))


def test_a_softmax_ratio_equals_the_definition(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(9)
    sums = (rng.integers(1 << 30, 1 << 31, COUNT) >> rng.integers(0, 12, COUNT)).astype(np.int32)
    exponentials = (rng.integers(0, 1 << 31, COUNT) >> rng.integers(0, 31, COUNT)).astype(np.int32)
    exponentials[::50], sums[::70] = INT32_MAX, 1 << 19
    scale, bits = reciprocal(sums, 12)
    product = saturating_rounding_doubling_high_mul(exponentials, scale)
    expected = np.clip(rounding_divide_by_pot(product, bits + 23) - 128, -128, 127)
    assert np.array_equal(_call(library, "softmax_ratio", exponentials, sums), expected)


def _floats() -> NDArray[np.float32]:
    rng = np.random.default_rng(10)
    sizes = np.exp(rng.uniform(-20, 5, COUNT)) * rng.choice([-1, 1], COUNT)
    return np.concatenate([sizes, rng.uniform(-110, 95, COUNT), [0.0, -0.0, 0.1, -0.1, np.inf, -np.inf]]).astype(
        np.float32
    )


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("exp_float", np.exp),
        ("logistic_float", lambda x: 1 / (1 + np.exp(-x))),
        ("tanh_float", np.tanh),
        ("elu_float", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
        ("sqrt_float", np.sqrt),
        ("rsqrt_float", lambda x: 1 / np.sqrt(x)),
        ("log_float", np.log),
    ],
)
def test_float_functions_are_within_a_few_units_in_the_last_place(
    library: ctypes.CDLL, name: str, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    x = np.abs(_floats()) if name in ("sqrt_float", "rsqrt_float", "log_float") else _floats()
    with np.errstate(over="ignore", divide="ignore"):
        expected = function(x.astype(np.float64)).astype(np.float32).astype(np.float64)
    found = _call(library, name, x, out=np.float32).astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.where(found == expected, 0.0, np.abs(found - expected))
    # Denormal results have fewer bits.
    assert (error <= 1e-6 * np.abs(expected) + 3e-45).all(), x[np.argmax(error / (np.abs(expected) + 1e-45))]


def test_the_error_function_is_within_a_few_parts_in_ten_million_of_1_and_of_small_values(library: ctypes.CDLL) -> None:
    x = np.concatenate([np.linspace(-6, 6, 4001), np.logspace(-30, -1, 500), [0.0, np.inf, -np.inf]]).astype(np.float32)
    expected = np.array([math.erf(value) for value in x])
    found = _call(library, "erf_float", x, out=np.float32).astype(np.float64)
    assert (np.abs(found - expected) <= np.minimum(5e-7, 1e-6 * np.abs(expected) + 5e-7 * (np.abs(x) >= 0.5))).all()


def test_the_inverse_root_has_the_same_bits_on_both_sides(library: ctypes.CDLL) -> None:
    x = np.exp(np.random.default_rng(12).uniform(-60, 60, COUNT)).astype(np.float32)
    found = _call(library, "rsqrt_float", x, out=np.float32)
    assert np.array_equal(found.view(np.uint32), float_inverse_root(x).view(np.uint32))


def test_float_functions_of_what_is_not_a_number_are_not_numbers(library: ctypes.CDLL) -> None:
    x = np.array([np.nan, -np.nan], np.float32)
    for name in ("exp_float", "logistic_float", "tanh_float"):
        assert np.isnan(_call(library, name, x, out=np.float32)).all()


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.037, 3e-5])
def test_quantization_equals_the_definition(library: ctypes.CDLL, scale: float) -> None:
    halves = (np.arange(-600, 600) / 2).astype(np.float32) * np.float32(scale)
    nearly = np.nextafter(halves, np.float32(np.inf), dtype=np.float32), np.nextafter(halves, np.float32(-np.inf))
    drawn = np.random.default_rng(11).normal(0, 100 * scale, COUNT)
    special = [np.nan, np.inf, -np.inf, 3e38, -3e38, 0.49999997, -0.49999997]
    x = np.concatenate([halves, *nearly, drawn, special]).astype(np.float32)
    for zero_point in (-128, 0, 127):
        quant = Quant.per_tensor(scale, zero_point)
        arguments = x, np.full(len(x), scale, np.float32), np.full(len(x), zero_point, np.int32)
        with np.errstate(over="ignore"):
            expected = quantize_array(x, quant, DType.S8)
        assert np.array_equal(_call(library, "quantize_float", *arguments), expected)
