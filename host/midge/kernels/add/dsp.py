"""ADD of two int8 tensors of one shape in 32-bit multiply-accumulates, where that is exact.

TFLite brings both operands to a common scale, with two roundings each, adds, and requantizes. The result depends on two
int8 values alone, so another function is the same when it agrees on all 65,536 pairs. One is looked for of the form

    (x * factor0 + y * factor1 + offset) >> shift, saturated to int8

For given factors each pair bounds the offset from both sides; near the ideal factors there are usually some that leave
room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import cast

import numpy as np

from midge.kernels.literals import in_place, is_int8
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.sums import quantized_sum
from midge.ops.add import Add

_VALUES = np.arange(-128, 128)
_LIMIT = 1 << 31
# How many of the last bits of the factors are tried.
_NEAR = sorted(range(-3, 4), key=abs)
_STEPS = (1, 8)


@dataclass(frozen=True)
class Plane:
    """The sum of two int8 values as one linear function of them, see the module's docstring."""

    factor0: int
    factor1: int
    offset: int
    shift: int


def plane(layer: Layer) -> Plane | None:
    """The linear function that equals the layer's on all pairs of values; None when none is found."""
    (x, y), out = layer.inputs, layer.outputs[0]
    p = cast(Add, layer.op).parameters(layer.inputs, layer.outputs)
    wanted = quantized_sum(p, _VALUES[:, None].astype(np.int8), _VALUES[None, :].astype(np.int8)).astype(np.int64)
    for shift, factor0, factor1 in _factors(x.q.scale / out.q.scale, y.q.scale / out.q.scale):
        sums = _VALUES[:, None] * factor0 + _VALUES[None, :] * factor1
        # Saturation lets the lowest result begin anywhere below, and the highest end anywhere above.
        least = np.where(wanted > -128, (wanted << shift) - sums, -_LIMIT).max()
        most = np.where(wanted < 127, ((wanted + 1) << shift) - 1 - sums, _LIMIT).min()
        offset = int(least + most) >> 1
        if least <= most and abs(offset) + int(np.abs(sums).max()) < _LIMIT:
            return Plane(factor0, factor1, offset, shift)
    return None


def _factors(ratio0: float, ratio1: float) -> Iterator[tuple[int, int, int]]:
    """(shift, factor0, factor1), the finest that keeps sums below 2^31 first."""
    room = np.log2(128 * (ratio0 + ratio1) + 512)
    finest = min(30, int(31 - np.ceil(room)))
    for step, near0, near1 in product(_STEPS, _NEAR, _NEAR):
        if finest >= 1:
            scale = 2.0**finest
            yield finest, round(ratio0 * scale) + near0 * step, round(ratio1 * scale) + near1 * step


def fits(layer: Layer) -> bool:
    """Two int8 tensors of one shape, neither constant, whose sum is a plane."""
    x, y = layer.inputs
    if not is_int8(layer) or x.shape != y.shape or x.is_constant or y.is_constant:
        return False
    return plane(layer) is not None


def bind(layer: Layer) -> Binding:
    """The plane's integers and the number of elements as constants, so that layers share a function."""
    found = plane(layer)
    assert found is not None, f"{layer.op.name} does not fit"
    values = np.array([found.factor0, found.factor1, found.offset, layer.outputs[0].elements], np.int32)
    return Binding({"shift": found.shift}, (Constant("plane", "int32_t", values),))


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=in_place, needs=frozenset({"dsp"}))
