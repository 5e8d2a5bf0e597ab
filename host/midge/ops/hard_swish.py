"""HARD_SWISH: x * min(max(x + 3, 0), 6) / 6."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array, Quant
from midge.numerics.fixed_point import quantize_multiplier, rounding_divide_by_pot
from midge.numerics.tables import Reals, Table
from midge.ops.families.unary import Unary, unary_reader
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class HardSwish(Unary):
    """inputs: x. Int16 is midge's own form: within 3 steps of the output where its scale spans the results."""

    def real(self, x: Reals) -> Reals:
        """x * min(max(x + 3, 0), 6) / 6."""
        return x * np.clip(x + 3, 0, 6) / 6

    def table(self, x: Quant, y: Quant) -> Table:
        """In 16 bits, seven of them added: x at the output's scale times its place between -3 and 3, from 0 to 1.

        Raises ValueError where the output's scale is too fine for the input's.
        Source: HardSwish in tensorflow/lite/kernels/internal/reference/hard_swish.h.
        """
        fine = np.float32(1 / 128) * np.float32(x.scale)
        output, output_shift = quantize_multiplier(float(fine / np.float32(y.scale)))
        if output_shift > 0:
            raise ValueError(f"the output's scale {y.scale:.3g} is too fine for an input of scale {x.scale:.3g}")
        place, place_shift = quantize_multiplier(float(fine / (np.float32(3) / np.float32(32768))))
        value = (np.arange(-128, 128) - x.zero_point) * 128
        at_output = _rounding_high_mul(value, _to_int16(output))
        relu = value if place_shift <= 0 else _saturated(value << (place_shift - 1))
        relu = _rounding_high_mul(relu, _to_int16(place))
        relu = _saturated(relu << 1) if place_shift > 0 else rounding_divide_by_pot(relu, -place_shift)
        product = ((relu + (1 << 15)) >> 1) * at_output
        truncated = np.sign(product) * (np.abs(product) >> 15)
        scaled = rounding_divide_by_pot(truncated, -output_shift) + y.zero_point
        return np.clip(scaled, -128, 127).astype(np.int8)


def _to_int16(multiplier: int) -> int:
    return min((multiplier + (1 << 15)) >> 16, 32767)


def _saturated(value: Array) -> Array:
    return np.clip(value, -(1 << 15), (1 << 15) - 1)


def _rounding_high_mul(value: Array, multiplier: int) -> Array:
    """value * multiplier / 2^15 to nearest, halves upwards; int16 values."""
    high: Array = (value * multiplier + (1 << 14)) >> 15
    return high


TFLITE = {"HARD_SWISH": unary_reader(HardSwish)}
from_uint8 = as_int8
