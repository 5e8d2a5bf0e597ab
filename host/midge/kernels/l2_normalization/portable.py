"""L2_NORMALIZATION for every core and shape, float32 and int8."""

from __future__ import annotations

from midge.kernels.literals import in_place, is_either, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.l2_normalization import EPSILON


def bind(layer: Layer) -> Binding:
    """Rows of the last dimension, and what is subtracted of the values."""
    x = layer.inputs[0]
    depth, zero = x.shape[-1], 0 if is_float(layer) else x.q.zero_point
    sizes = {"rows": x.elements // depth, "depth": depth}
    return Binding({**sizes, "zero": zero, "epsilon": EPSILON, "is_float": is_float(layer)})


VARIANT = Variant(__name__, fits=is_either, bind=bind, overlap=in_place)
