"""FULLY_CONNECTED int8 for RV32IM: four rows of a batch and two outputs at a time (firmware/nn/midge_riscv.h)."""

from __future__ import annotations

from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.position_quads import NEEDS, QUAD, bind_matrix, can_add, quads, scaling_of
from midge.kernels.variant import Binding, Layer, Variant

# For fewer, packing the row is more work than it saves.
_FEWEST_OUTPUTS = 6


def fits(layer: Layer) -> bool:
    """int8 with constant weights, several outputs, sums that one product scales."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    rows = weight_rows(layer)
    if len(rows) < _FEWEST_OUTPUTS or not can_add(rows):
        return False
    bias, zero_point = bias_values(layer, len(rows)), layer.inputs[0].q.zero_point
    return scaling_of(rows, bias, zero_point, requantization_of(layer)) is not None


def bind(layer: Layer) -> Binding:
    """Weights by pairs of outputs; for each output what scales its sums."""
    rows, x = weight_rows(layer), layer.inputs[0]
    params, constants = bind_matrix(rows, bias_values(layer, len(rows)), x.q.zero_point, requantization_of(layer))
    batch, width, units = x.elements // rows.shape[1], rows.shape[1], len(rows)
    return Binding({**params, "batch": batch, "width": width, "units": units}, constants)


def scratch_bytes(layer: Layer) -> int:
    """Four rows, two to a word."""
    return 8 * QUAD * quads(layer.inputs[1].shape[1])


def cycles(layer: Layer) -> int:
    """What it takes, in instructions, about."""
    units, width = layer.inputs[1].shape
    batch = layer.inputs[0].elements // width
    return -(-batch // QUAD) * (5 * units * width + 15 * units + 9 * width) + 300


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, cycles=cycles)
