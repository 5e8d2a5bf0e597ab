"""What the portable kernels of weighted sums bind alike: convolutions of all kinds and matrix products."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from midge.kernels.geometry import pixels_joined, window_of
from midge.kernels.literals import (
    bias_values,
    constant_data,
    dynamic_literals,
    float_clamp,
    integer_sums,
    is_float,
    requantization_literals,
    requantization_of,
)
from midge.kernels.variant import Binding, Constant, Layer
from midge.numerics.requantize import Requantization
from midge.ops.types import dynamic_is_asymmetric, is_dynamic


def bind_windows(layer: Layer, params: Mapping[str, object], filter_axis: int) -> Binding:
    """A convolution's sizes with its own `params`; the input's zero point folded into the bias where no window is
    padded. The weights are as they are, a filter for each index of `filter_axis`."""
    x, weights = layer.inputs[:2]
    window = window_of(layer, (weights.shape[1], weights.shape[2]))
    if is_dynamic(layer.inputs):
        literals, tables = dynamic_literals(layer, dynamic_is_asymmetric(weights))
        sizes = {"batch": x.shape[0], "image": x.elements // x.shape[0]}
        return Binding({**window.params, **params, **literals, **sizes}, tables)
    joined = pixels_joined(window)
    r, fold = None if is_float(layer) else requantization_of(layer), not joined.is_clipped
    zero = {"dynamic": False, "in_zero": 0 if r is None or fold else x.q.zero_point}
    return bind_sums(layer, {**joined.params, **params, **zero}, r, fold=fold, filter_axis=filter_axis)


def bind_sums(
    layer: Layer, params: Mapping[str, object], r: Requantization | None, *, fold: bool, filter_axis: int = 0
) -> Binding:
    """Weights and bias with `params`, and how sums become outputs: by `r`, or floats where that is None. `fold`: the
    input's zero point goes into the bias."""
    x, weights = layer.inputs[:2]
    filters, bias = constant_data(weights), bias_values(layer, weights.shape[filter_axis])
    if r is None:
        made: dict[str, object] = {"is_float": True, "element": "float", "number": "float"}
        constants = (Constant("weights", "float", filters), Constant("bias", "float", bias))
        return Binding({**params, **made, **float_clamp(layer.op)}, constants)
    rows = np.moveaxis(filters, filter_axis, 0)
    sums = integer_sums(bias, rows, x.q.zero_point, fold=fold, dtype=x.dtype, wide=r.wide)
    literals, tables = requantization_literals(r, sums.reach, x.dtype.c_type)
    made = {"is_float": False, "element": x.dtype.c_type, "number": sums.number}
    return Binding(
        {**params, **made, **literals}, (Constant("weights", "int8_t", filters), sums.bias_constant, *tables)
    )


def image_bytes(layer: Layer) -> int:
    """One image as int8, where ranges are found at run time."""
    x = layer.inputs[0]
    return x.elements // x.shape[0] if is_dynamic(layer.inputs) else 0
