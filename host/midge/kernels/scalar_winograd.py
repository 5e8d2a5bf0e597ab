"""Winograd's convolution for cores without SIMD: one product at a time (firmware/nn/midge_scalar_winograd.h).

Weights and inputs are those of midge.kernels.winograd. Sums come with the fraction that midge.kernels.steep_sums asks
for, whose scales are those of midge.kernels.position_quads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.geometry import window_of
from midge.kernels.literals import bias_values, constant_data, int32_words, requantization_of, weight_rows
from midge.kernels.paired_channels import GROUP
from midge.kernels.position_quads import Scaling, scaling_of
from midge.kernels.variant import Binding, Constant, Layer
from midge.kernels.winograd import LIFT, POSITIONS, RAISED, packed_products, padded_channels, tiles
from midge.kernels.winograd_tiles import (
    CAUTION,
    SCRATCH_LIMIT,
    can_tile,
    copied_tiles,
    growth_of,
    tile_bytes,
    tile_params,
)

# The inverse of 9 modulo 2^32: it makes 64 times the output of what the kernel has.
_NINTH = 0x38E38E39


@dataclass(frozen=True)
class Costs:
    """Cycles or instructions on one core, fitted to layers of 4 to 64 channels.

    Of a tile: `tile`, and for each four input channels `quad`; where it is copied `patch` and `patch_quad`, or for each
    pixel `pixel` and `pixel_quad` where its bytes are no whole words. Of a tile and four filters: `outputs`, with `odd`
    more where filters are no fours. Of two tiles and four filters: `products`, and for each four input channels `turn`.
    `margin` is for caution, and for what the estimates of others are too high.
    """

    tile: int
    quad: int
    patch: int
    patch_quad: int
    pixel: int
    pixel_quad: int
    outputs: int
    odd: int
    products: int
    turn: int
    margin: float = CAUTION


def fits(layer: Layer) -> bool:
    """What tiles can do, sums that one product scales, 16 KB of scratch."""
    return can_tile(layer) and scratch_bytes(layer) <= SCRATCH_LIMIT and _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream: by groups of four channels products, then for each channel start, multiplier and,
    where it needs one, jump."""
    scaled = _scaling(layer)
    assert scaled is not None, "no rule is exact"
    weights = np.where(scaled.constant[:, None, None, None], 0, constant_data(layer.inputs[1]))
    products, records = packed_products(weights, _pairs(layer)), _records(scaled, weights)
    words = np.concatenate([products, records.reshape(len(products), -1)], axis=1)
    params: dict[str, object] = {
        **tile_params(layer, _pairs(layer)),
        **scaled.params,
        "ninth": _NINTH << (scaled.fraction - LIFT) & 0xFFFFFFFF,
        "group_words": products.shape[1],
        "record": records.shape[1],
    }
    return Binding(params, (Constant("stream", "int32_t", int32_words(words)),))


def scratch_bytes(layer: Layer) -> int:
    """What tiles take."""
    return tile_bytes(layer, _pairs(layer))


def growth(layer: Layer) -> int:
    """That of the tiles' weights."""
    return growth_of(layer, _pairs(layer))


def cycles(layer: Layer, costs: Costs) -> int:
    """Estimated, with the margin."""
    w = window_of(layer, (3, 3))
    count, groups, quads = w.batch * tiles(w)[0] * tiles(w)[1], -(-w.out_c // GROUP), padded_channels(w.in_c) // 4
    if w.in_c % 4 == 0:
        patch = costs.patch + costs.patch_quad * quads
    else:
        patch = POSITIONS * (costs.pixel + costs.pixel_quad * quads)
    inputs = costs.tile + costs.quad * quads + patch * copied_tiles(w) / count
    outputs = costs.outputs + (costs.odd if w.out_c % GROUP else 0)
    products = costs.products + costs.turn * quads
    return round(costs.margin * (count * (inputs + groups * outputs) + -(-count // 2) * groups * products))


def _records(scaled: Scaling, weights: Array) -> Array:
    """(whole groups of channels, 2 or 3), without what comes of inputs that count from -128."""
    words = scaled.words.astype(np.int64)
    words[:, 0] -= weights.reshape(len(weights), -1).astype(np.int64).sum(axis=1) * RAISED << scaled.fraction
    return np.pad(words, ((0, -len(words) % GROUP), (0, 0)))


def _pairs(layer: Layer) -> int:
    return padded_channels(layer.inputs[0].shape[3]) // 2


def _scaling(layer: Layer) -> Scaling | None:
    rows = weight_rows(layer)
    found = scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, requantization_of(layer))
    return found if found is not None and found.fraction >= LIFT else None
