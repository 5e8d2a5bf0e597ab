"""SOFTMAX for every core, shape and type.

e^x comes from a table of the possible differences in int8, from lines between anchors in int16, and from a polynomial
in float32.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.tensor import DType
from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.softmax_int16 import exp_anchors, reciprocal_anchors
from midge.ops.softmax import Softmax, difference_factor, softmax_exponentials, softmax_parameters


def bind(layer: Layer) -> Binding:
    """Int8: the table ends where exponentials become 0, since inputs are at most 255 below the largest."""
    op, shape = cast(Softmax, layer.op), layer.inputs[0].shape
    params: dict[str, object] = {"rows": layer.inputs[0].elements // shape[-1], "depth": shape[-1]}
    if is_float(layer):
        return Binding({**params, "way": "float", "computed": False, "beta": op.beta})
    if layer.inputs[0].dtype is DType.S16:
        multiplier, shift = difference_factor(op, layer.inputs)
        tables = (
            Constant("exponentials", DType.S16.c_type, exp_anchors()),
            Constant("reciprocals", DType.S16.c_type, reciprocal_anchors()),
        )
        return Binding(
            {**params, "way": "anchors", "computed": False, "multiplier": multiplier, "shift": shift}, tables
        )
    exponentials = softmax_exponentials(softmax_parameters(op.beta, layer.inputs)).astype(np.int32)
    entries = int(np.flatnonzero(exponentials)[-1]) + 1
    out_type = layer.outputs[0].dtype.c_type
    table = Constant("exponentials", "int32_t", exponentials[:entries])
    return Binding({**params, "way": "table", "computed": False, "entries": entries, "out_type": out_type}, (table,))


def fits(layer: Layer) -> bool:
    """Float32, int8, int16, or int8 to int16."""
    return len(layer.inputs) == 1


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=in_place)
