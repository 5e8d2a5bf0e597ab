"""Measured cycles of kernel variants, by what a layer is: its operator, parameters, shapes and types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from midge.ir.tensor import DType
from midge.kernels.narrow import narrow_weights
from midge.kernels.variant import Layer

# signature of a layer -> {variant: cycles}
Timings = Mapping[str, Mapping[str, int]]

_NAMES = ("name", "inputs", "outputs")
# Where more weights than this are not zero, zeros decide nothing.
_DENSE = 0.75


def signature(layer: Layer) -> str:
    """What decides a layer's cycles: equal for layers that cost the same; 16 hex digits. Of its values only how narrow
    they are, and how many are not zero where zeros are many."""
    op = layer.op
    parameters = [(f.name, getattr(op, f.name)) for f in fields(op) if f.name not in _NAMES]
    tensors = [(t.shape, t.dtype.value, t.is_constant) for t in (*layer.inputs, *layer.outputs)]
    found = narrow_weights(layer)
    width = () if found is None else (found.width, found.gain, layer.inputs[0].levels)
    key = (op.kind, parameters, tensors, *width, *_nonzeros(layer))
    return hashlib.sha256(repr(key).encode()).hexdigest()[:16]


def _nonzeros(layer: Layer) -> tuple[int, ...]:
    """Of each constant of int8 that is a quarter zeros or more."""
    weights = [t.data for t in layer.inputs if t.data is not None and t.dtype is DType.S8]
    counts = [(int(np.count_nonzero(data)), data.size) for data in weights]
    return tuple(count for count, size in counts if count <= _DENSE * size)
