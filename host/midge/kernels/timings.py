"""Measured cycles of kernel variants, by what a layer is: its operator, parameters, shapes and types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields

from midge.kernels.narrow import narrow_weights
from midge.kernels.variant import Layer

# signature of a layer -> {variant: cycles}
Timings = Mapping[str, Mapping[str, int]]

_NAMES = ("name", "inputs", "outputs")


def signature(layer: Layer) -> str:
    """What decides a layer's cycles: equal for layers that cost the same; 16 hex digits. Of its values only how narrow
    they are."""
    op = layer.op
    parameters = [(f.name, getattr(op, f.name)) for f in fields(op) if f.name not in _NAMES]
    tensors = [(t.shape, t.dtype.value, t.is_constant) for t in (*layer.inputs, *layer.outputs)]
    found = narrow_weights(layer)
    width = () if found is None else (found.width, found.gain, layer.inputs[0].levels)
    return hashlib.sha256(repr((op.kind, parameters, tensors, *width)).encode()).hexdigest()[:16]
