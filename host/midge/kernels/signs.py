"""Fully binary layers: activations of two values times weights of two, 32 products by one exclusive or and a count.

With n products of signs, of which `differing` are -1, activations low or high above the zero point, and weights +-g:

    sum = g * ((low + high) * (sum of the weights' signs) + (high - low) * (n - 2 * differing)) / 2

Where every window is whole all of it but `differing` is part of the bias. A window that reaches past the edge has fewer
products, and then low + high must be 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import bias_values, has_constant_weights, integer_sums, is_int8, requantization_literals
from midge.kernels.narrow import narrow_weights
from midge.kernels.variant import Binding, Constant, Layer
from midge.numerics.requantize import Requantization

# Fewer values leave too much of a word empty, fewer products of an output cost more than as bytes.
_LEAST_DEPTH, _LEAST_PRODUCTS = 24, 128


@dataclass(frozen=True, eq=False)
class Signs:
    """Signs of the weights (channels, taps, depth), their gains, the distance of the activations' levels, and the bias
    with all that is known of whole windows (`is_whole`)."""

    weights: Array
    gains: Array
    distance: int
    bias: Array
    is_whole: bool

    @property
    def words(self) -> int:
        """Words of 32 signs for one tap."""
        return -(-self.weights.shape[2] // 32)


def signs(layer: Layer, depth: int, is_whole: bool) -> Signs | None:
    """What a layer with windows of `depth` values a tap multiplies, None where these are no signs."""
    levels = layer.inputs[0].levels
    if levels is None or depth < _LEAST_DEPTH or not (is_int8(layer) and has_constant_weights(layer)):
        return None
    found = narrow_weights(layer)
    low, high = (level - layer.inputs[0].q.zero_point for level in levels)
    if found is None or found.width != "binary" or not (is_whole or low + high == 0):
        return None
    if found.rows.shape[1] < _LEAST_PRODUCTS:
        return None
    bias = bias_values(layer, len(found.rows)).astype(np.int64)
    if is_whole:
        terms = (low + high) * found.rows.sum(axis=1) + (high - low) * found.rows.shape[1]
        bias = bias + found.gains * terms // 2
    if np.abs(bias).max() >= 1 << 31 or not _fits(layer, found.rows * found.gains[:, None]):
        return None
    return Signs(found.rows.reshape(len(found.rows), -1, depth), found.gains, high - low, bias, is_whole)


def bind_signs(layer: Layer, made: Signs, r: Requantization) -> Binding:
    """Literals for templates/kernels/signs.j2, and the words of weights, tap by tap; a last word is filled with 0."""
    literals, tables = requantization_literals(r, _reach(layer, made))
    factors = made.gains * (made.distance if made.is_whole else made.distance // 2)
    same = bool((factors == factors[0]).all())
    params = {
        **literals,
        "words": made.words,
        "depth": made.weights.shape[2],
        "threshold": max(layer.inputs[0].levels or (0,)),
        "whole": made.is_whole,
        "factor": int(factors[0]) if same else None,
    }
    constants = [
        Constant("weights", "uint32_t", _packed(made)),
        Constant("bias", "int32_t", made.bias.astype(np.int32)),
        *tables,
    ]
    return Binding(params, (*constants, *([] if same else [Constant("factors", "int16_t", factors.astype(np.int16))])))


def _packed(made: Signs) -> Array:
    bits = np.pad(made.weights > 0, ((0, 0), (0, 0), (0, -made.weights.shape[2] % 32)))
    grouped = bits.reshape(-1, 32).astype(np.int64)
    return np.asarray((grouped << np.arange(32)).sum(axis=1).astype(np.uint32))


def _reach(layer: Layer, made: Signs) -> Array:
    rows = made.weights.reshape(len(made.weights), -1) * made.gains[:, None]
    bias = bias_values(layer, len(rows))
    return integer_sums(bias, rows, layer.inputs[0].q.zero_point, fold=False).reach


def _fits(layer: Layer, rows: Array) -> bool:
    sums = integer_sums(bias_values(layer, len(rows)), rows, layer.inputs[0].q.zero_point, fold=False)
    return sums.number == "int32_t"
