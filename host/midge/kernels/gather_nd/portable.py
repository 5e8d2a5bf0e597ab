"""GATHER_ND: slices copied element by element, for every core and type."""

from __future__ import annotations

from math import prod

from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant


def bind(layer: Layer) -> Binding:
    """Loops over the places and over a slice; each index with its dimension and how far apart its values are."""
    x, indices = layer.inputs
    depth = indices.shape[-1]
    params: dict[str, object] = {
        "count": prod(indices.shape[:-1]),
        "inner": prod(x.shape[depth:]),
        "dims": [(x.shape[d], prod(x.shape[d + 1 :])) for d in range(depth)],
        "index": indices.dtype.c_type,
    }
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    return Binding(params, constants)


VARIANT = Variant(__name__, fits=lambda layer: True, bind=bind)
