"""ADD_N for every core, float32 and int32."""

from __future__ import annotations

from midge.kernels.literals import constant_data, in_place, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant


def bind(layer: Layer) -> Binding:
    """How many tensors there are; a constant one is the array in its place."""
    params = {"elements": layer.outputs[0].elements, "count": len(layer.inputs), "is_float": is_float(layer)}
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    return Binding(params, constants)


VARIANT = Variant(__name__, fits=lambda layer: True, bind=bind, overlap=in_place)
