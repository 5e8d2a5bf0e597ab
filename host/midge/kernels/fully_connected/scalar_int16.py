"""FULLY_CONNECTED int8 of one row for cores without SIMD: each multiplication serves two outputs
(firmware/nn/midge_scalar.h). Weights take two bytes in flash, twice of what they need."""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    int32_words,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.pixel_pairs import NEEDS, can_pack, padded_depth, row_cycles, scaling_of
from midge.kernels.variant import Binding, Constant, Layer, Variant

_GROUP = 4


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one row, a group of outputs or more."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    rows = weight_rows(layer)
    return layer.inputs[0].elements == rows.shape[1] and len(rows) >= _GROUP and can_pack(rows)


def bind(layer: Layer) -> Binding:
    """Weights by groups of four outputs; for each group starting values and what scales its sums."""
    rows, x = weight_rows(layer), layer.inputs[0]
    r = requantization_of(layer)
    scaled = scaling_of(rows, bias_values(layer, len(rows)), x.q.zero_point, r)
    depth = padded_depth(rows.shape[1])
    params = {**scaled.params, "depth": depth, "width": rows.shape[1], "units": len(rows)}
    constants = (
        Constant("weights", "uint32_t", _packed(rows, depth)),
        Constant("scales", "int32_t", _by_groups(scaled.words)),
    )
    return Binding(params, constants)


def scratch_bytes(layer: Layer) -> int:
    """The row as words."""
    return 4 * padded_depth(layer.inputs[1].shape[1])


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, about."""
    return row_cycles(*layer.inputs[1].shape)


def _packed(rows: Array, depth: int) -> Array:
    """Two outputs in a word, the words of two pairs alternate."""
    padded = np.pad(rows, ((0, -len(rows) % _GROUP), (0, depth - rows.shape[1])))
    words = padded[0::2] + (padded[1::2] << 16)
    return int32_words(words.reshape(-1, 2, depth).transpose(0, 2, 1)).view(np.uint32)


def _by_groups(words: Array) -> Array:
    """65536 * bias b + bias a and bias b of both pairs, then what is left of each output."""
    padded = np.pad(words.astype(np.int64), ((0, -len(words) % _GROUP), (0, 0))).reshape(-1, _GROUP, words.shape[1])
    a, b = padded[:, 0::2, 0], padded[:, 1::2, 0]
    starts = np.stack([a + (b << 16), b], axis=2).reshape(-1, _GROUP)
    return int32_words(np.concatenate([starts, padded[:, :, 1:].reshape(len(padded), -1)], axis=1))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, cycles=cycles)
