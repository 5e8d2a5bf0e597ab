"""LAYER_NORMALIZATION for every core and shape, float32 and int8."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.kernels.literals import constant_data, in_place, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.layer_normalization import LayerNormalization


def bind(layer: Layer) -> Binding:
    """Rows of the last dimension; in int8 epsilon in the integers' units, and the output's step."""
    op, x, y = cast(LayerNormalization, layer.op), layer.inputs[0], layer.outputs[0]
    sizes: dict[str, object] = {"rows": x.elements // x.shape[-1], "depth": x.shape[-1], "is_float": is_float(layer)}
    for name, t in zip(("one_scale", "one_offset"), layer.inputs[1:], strict=True):
        if t.elements < x.shape[-1]:
            sizes[name] = True
    constants = tuple(
        Constant(name, "float", np.asarray(constant_data(t), np.float32))
        for name, t in zip(("scales", "offsets"), layer.inputs[1:], strict=True)
    )
    if is_float(layer):
        return Binding({**sizes, "epsilon": op.epsilon}, constants)
    return Binding({**sizes, "epsilon": op.raised(x), "step": y.q.scale, "zero_point": y.q.zero_point}, constants)


VARIANT = Variant(__name__, fits=lambda layer: True, bind=bind, overlap=in_place)
