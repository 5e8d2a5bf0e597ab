"""The quantization of ONNX constants that the file stores as integers behind a DequantizeLinear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from midge.ir.tensor import Array, Quant


def stored_quant(inputs: Sequence[Array | None], axis: Any) -> Quant | None:
    """The scales of int8 or uint8 constants that a DequantizeLinear makes floats of, so that they can be had back.

    uint8 counts as int8 with 128 less. None for other types and for blocks.
    """
    stored, scale, zero = (*inputs, None)[:3]
    if stored is None or scale is None or stored.dtype not in (np.int8, np.uint8) or scale.dtype != np.float32:
        return None
    per_channel = scale.ndim == 1 and scale.size > 1
    if (scale.size != 1 and not per_channel) or not (np.isfinite(scale).all() and (scale > 0).all()):
        return None
    axis = int(axis) + stored.ndim if int(axis) < 0 else int(axis)
    if per_channel and not (axis < stored.ndim and stored.shape[axis] == scale.size):
        return None
    zeros = np.zeros(scale.shape, np.int64) if zero is None else zero.astype(np.int64)
    offset = 128 if stored.dtype == np.uint8 else 0
    points = tuple(int(z) - offset for z in np.broadcast_to(zeros, scale.shape).reshape(-1))
    return Quant(tuple(float(s) for s in scale.reshape(-1)), points, axis if per_channel else None)
