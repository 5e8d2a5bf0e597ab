"""int8 powers by logarithms in fixed point: two tables and a multiplication, no floats. Mirrored by midge_nn_pow.h.

log2 |x| is a table of 256 values at scale 2^-bits; times the exponent's integer it is the result's logarithm. The
result is counted off in steps of the output, whose borders are a table of logarithms too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2

import numpy as np

from midge.ir.tensor import Array, Quant

EVEN, ODD, NOT_WHOLE = 0, 1, 2

# |log| * 255 keeps to 30 bits.
_LOG_BITS, _MOST_BITS = 22, 20
_FARTHEST = (1 << 31) - 2
# An exponent counts as whole when it is so near to one, relative to its size or 1.
_NEAR = 1e-5


@dataclass(frozen=True, eq=False)
class PowParameters:
    """What int8 powers are computed with; the arrays are indexed by the value + 128.

    `logs`: of the bases, int32 (256,), 0 for a base of 0. `borders`: between an output value and the next, int32
    (255,). `parities` of the exponents: EVEN, ODD or NOT_WHOLE, int8 (256,).
    """

    zero_point1: int
    zero_point2: int
    zero_point: int
    logs: Array
    borders: Array
    parities: Array


def pow_parameters(x: Quant, y: Quant, output: Quant) -> PowParameters:
    """The tables. Raises ValueError for scales so far from 1 that their logarithms say nothing."""
    every = np.arange(-128, 128)
    sizes = np.abs((every - x.zero_point) * x.scale)
    real = np.log2(np.where(sizes > 0, sizes, 1.0))
    bits = min(_MOST_BITS, floor(_LOG_BITS - log2(max(float(np.abs(real).max()), 1.0)) - 1e-9))
    if bits < 0 or not 1e-12 < y.scale < 1e12:
        raise ValueError(f"powers with scales of {x.scale:.3g} and {y.scale:.3g}")
    borders = np.log2(np.abs(every[:-1] + 0.5 - output.zero_point) * output.scale) * (2.0**bits / y.scale)
    exponents = (every - y.zero_point) * y.scale
    whole = np.rint(exponents)
    near = np.abs(exponents - whole) <= _NEAR * np.maximum(np.abs(exponents), 1)
    return PowParameters(
        x.zero_point,
        y.zero_point,
        output.zero_point,
        np.rint(real * 2.0**bits).astype(np.int32),
        np.clip(np.rint(borders), -_FARTHEST, _FARTHEST).astype(np.int32),
        np.where(near, np.where(whole % 2 == 0, EVEN, ODD), NOT_WHOLE).astype(np.int8),
    )


def int8_powers(p: PowParameters, x: Array, y: Array) -> Array:
    """x to the power of y, int8 values that broadcast; int64."""
    base, exponent = np.broadcast_arrays(x.astype(np.int64) - p.zero_point1, y.astype(np.int64) - p.zero_point2)
    logs = p.logs[base + p.zero_point1 + 128].astype(np.int64) * exponent
    of_zero = np.where(exponent > 0, -_FARTHEST - 1, np.where(exponent < 0, _FARTHEST + 1, 0))
    logs = np.where(base == 0, of_zero, logs)
    zero = p.zero_point + 128
    up = np.searchsorted(p.borders[zero:], logs, side="left")
    down = np.searchsorted(p.borders[:zero][::-1], logs, side="left")
    parity = p.parities[exponent + p.zero_point2 + 128]
    signed = np.where(parity == EVEN, up, np.where(parity == ODD, -down, 0))
    return np.asarray(p.zero_point + np.where(base < 0, signed, up))
