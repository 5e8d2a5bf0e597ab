"""Narrow weights packed into bytes, for the portable kernels that unpack them in registers.

Channel by channel, position by position, without gaps; the first weight of a byte lies in its lowest bits. Five ternary
weights share a byte that holds 256/243 of their digits, so that each multiplication by 3 moves one digit out of it.
Four indices of 6 bits share three bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import has_constant_weights, is_float
from midge.kernels.narrow import UNITS, Narrow, Packing, narrow_weights
from midge.kernels.variant import Binding, Constant, Layer
from midge.ops.types import is_dynamic

# What unpacking takes of code, beyond a loop over int8: the more of what 1x1 convolutions and fully connected layers
# take on the Cortex-M4F (benchmarks/clustered.py, benchmarks/narrow.py).
_CODE_BYTES: Mapping[Packing, int] = {
    "binary": 184,
    "ternary": 204,
    "int2": 60,
    "index2": 84,
    "int4": 36,
    "index4": 56,
    "index6": 112,
}


def can_pack(layer: Layer) -> bool:
    """Whether the layer computes in integers with narrow constant weights, known before any inference."""
    if not has_constant_weights(layer) or is_float(layer) or is_dynamic(layer.inputs):
        return False
    return narrow_weights(layer) is not None


def code_bytes(layer: Layer) -> int:
    """Code beyond the portable variant's."""
    found = narrow_weights(layer)
    assert found is not None
    return _CODE_BYTES[found.width]


def with_packed_weights(plain: Binding, layer: Layer) -> Binding:
    """The portable variant's binding with the weights packed, and what templates/kernels/packed.j2 reads."""
    found = narrow_weights(layer)
    assert found is not None
    params = {**plain.params, "width": found.width, "gain": found.gain, "fields": UNITS[found.width][0]}
    constants = [_narrowed(constant, found) for constant in plain.constants]
    if found.gain is None:
        constants.append(Constant("gains", "uint8_t", found.gains.astype(np.uint8)))
    if found.table is not None:
        constants.append(Constant("table", "int8_t", found.table.astype(np.int8)))
    return Binding(params, tuple(constants))


def _narrowed(constant: Constant, found: Narrow) -> Constant:
    """Weights packed, any other constant as it is."""
    return replace(constant, c_type="uint8_t", values=pack(found)) if constant.role == "weights" else constant


def pack(found: Narrow) -> Array:
    """The bytes: channel by channel, the last one filled up."""
    fields, unit_bytes = UNITS[found.width]
    flat = found.rows.reshape(-1)
    units = _units(np.pad(flat, (0, -len(flat) % fields)).reshape(-1, fields), found.width, 8 * unit_bytes // fields)
    return np.asarray((units[:, None] >> 8 * np.arange(unit_bytes) & 0xFF).reshape(-1).astype(np.uint8))


def _units(fields: Array, width: Packing, bits: int) -> Array:
    if width == "ternary":
        digits = (fields + 1) @ (3 ** np.arange(4, -1, -1))
        return np.asarray(-(-digits * 256 // 243))
    values = (fields > 0) if width == "binary" else fields & ((1 << bits) - 1)
    return np.asarray((values.astype(np.int64) << (bits * np.arange(fields.shape[1]))).sum(axis=1))
