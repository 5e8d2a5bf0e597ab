"""FULLY_CONNECTED int8 for cores without SIMD: each multiplication serves two rows of a batch, or one row twice
(firmware/nn/midge_scalar.h)."""

from __future__ import annotations

from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.pixel_pairs import NEEDS, bind_matrix, can_pack, padded_depth
from midge.kernels.variant import Binding, Layer, Variant

# For fewer, packing the row is more work than it saves.
_FEWEST_OUTPUTS = 6


def fits(layer: Layer) -> bool:
    """int8 with constant weights, several outputs."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    rows = weight_rows(layer)
    return len(rows) >= _FEWEST_OUTPUTS and can_pack(rows)


def bind(layer: Layer) -> Binding:
    """Weights by pairs of outputs; for each output its bias and what scales its sums."""
    rows, x = weight_rows(layer), layer.inputs[0]
    r = requantization_of(layer)
    params, constants = bind_matrix(rows, bias_values(layer, len(rows)), x.q.zero_point, r)
    batch, width, units = x.elements // rows.shape[1], rows.shape[1], len(rows)
    return Binding({**params, "batch": batch, "width": width, "units": units}, constants)


def scratch_bytes(layer: Layer) -> int:
    """Two rows as words."""
    return 4 * padded_depth(layer.inputs[1].shape[1])


def cycles(layer: Layer) -> int:
    """What it takes on a Cortex-M0+, about."""
    units, width = layer.inputs[1].shape
    pairs = -(-layer.inputs[0].elements // width // 2)
    return pairs * ((12 * padded_depth(width) // 2 + 70) * units + 9 * width + 200)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, cycles=cycles)
