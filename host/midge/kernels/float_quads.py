"""Float layers of four channels at a time, for cores with floating-point registers: each input is loaded once for four.

Each sum is of the same products in the same order as the portable variant's, so that the floats are the same.
"""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array, DType
from midge.kernels.literals import bias_values, constant_data, float_clamp, has_constant_weights, is_float
from midge.kernels.variant import Binding, Constant, Layer

NEEDS = frozenset({"fpu"})
CHANNELS = 4


def fits_quads(layer: Layer) -> bool:
    """Floats, constant weights, and a number of channels that four divides."""
    if not (is_float(layer) and has_constant_weights(layer)):
        return False
    return layer.inputs[1].dtype is DType.F32 and layer.inputs[1].shape[0] % CHANNELS == 0


def bind_quads(layer: Layer) -> Binding:
    """Weights by four channels: what these multiply the same input with lies side by side."""
    filters = constant_data(layer.inputs[1])
    rows: Array = filters.reshape(len(filters) // CHANNELS, CHANNELS, -1)
    constants = (
        Constant("weights", "float", np.ascontiguousarray(rows.transpose(0, 2, 1))),
        Constant("bias", "float", bias_values(layer, len(filters))),
    )
    return Binding({"quads": len(rows), **float_clamp(layer.op)}, constants)
