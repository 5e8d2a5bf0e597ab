"""SOFTMAX for every core and shape: e^x from a table of the possible differences in int8, by polynomial in float32."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.graph import DType
from midge.kernels.literals import in_place, is_either, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.softmax import Softmax, softmax_exponentials, softmax_parameters


def bind(layer: Layer) -> Binding:
    """Int8: the table ends where exponentials become 0, since inputs are at most 255 below the largest."""
    op, shape = cast(Softmax, layer.op), layer.inputs[0].shape
    params: dict[str, object] = {"rows": layer.inputs[0].elements // shape[-1], "depth": shape[-1]}
    if is_float(layer):
        return Binding({**params, "is_float": True, "beta": op.beta})
    exponentials = softmax_exponentials(softmax_parameters(op, layer.inputs)).astype(np.int32)
    entries = int(np.flatnonzero(exponentials)[-1]) + 1
    table = Constant("exponentials", "int32_t", exponentials[:entries])
    low = layer.outputs[0].dtype.limits[0]
    return Binding({**params, "is_float": False, "entries": entries, "low": low}, (table,))


def fits(layer: Layer) -> bool:
    """Float or int8 throughout, or int8 to int16."""
    return is_either(layer) or (layer.inputs[0].dtype, layer.outputs[0].dtype) == (DType.S8, DType.S16)


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=in_place)
