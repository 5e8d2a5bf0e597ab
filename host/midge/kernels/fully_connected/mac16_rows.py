"""FULLY_CONNECTED int8 for Xtensa's MAC16: each row is widened once (firmware/nn/midge_mac16.h)."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.graph import Array
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.mac16_dense import MOST_POSITIONS, NEEDS, Scaling, bind_matrix, run_bytes, scaling_of
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.fully_connected import FullyConnected, fully_connected_requantization


def fits(layer: Layer) -> bool:
    """int8 with constant weights, rows that are not too long, an exact rule for the sums."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    return layer.inputs[1].shape[1] <= MOST_POSITIONS and _scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by output; for each output its bias and what scales its sums."""
    scaled = _scaling(layer)
    assert scaled is not None, "no rule is exact"
    rows = _rows(layer)
    params, constants = bind_matrix(rows, scaled)
    width = rows.shape[1]
    more = {"batch": layer.inputs[0].elements // width, "width": width, "run_bytes": run_bytes(width)}
    return Binding({**params, **more}, constants)


def scratch_bytes(layer: Layer) -> int:
    """A row, and its bytes where rows are not whole words."""
    width = layer.inputs[1].shape[1]
    return run_bytes(width) + (width + -width % 4 if width % 4 else 0)


def _rows(layer: Layer) -> Array:
    return constant_data(layer.inputs[1]).astype(np.int64)


def _scaling(layer: Layer) -> Scaling | None:
    r = fully_connected_requantization(cast(FullyConnected, layer.op), layer.inputs, layer.outputs)
    rows = _rows(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, r)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes)
