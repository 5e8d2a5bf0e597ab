"""TRANSPOSE_CONV for every core, shape and type: for each output the inputs whose windows reach it."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import has_constant_weights, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weighted import bind_sums
from midge.numerics.requantize import window_requantization
from midge.ops.transpose_conv import TransposeConv


def bind(layer: Layer) -> Binding:
    """Weights as they are, OHWI."""
    op, (x, weights) = cast(TransposeConv, layer.op), layer.inputs[:2]
    params: dict[str, object] = dict(zip(("batch", "in_h", "in_w", "in_c"), x.shape, strict=True))
    params |= dict(zip(("out_c", "k_h", "k_w"), weights.shape, strict=False))
    params |= {"out_h": op.size[0], "out_w": op.size[1], "stride_h": op.stride[0], "stride_w": op.stride[1]}
    params |= {"top": op.padding[0][0], "left": op.padding[1][0]}
    r = None if is_float(layer) else window_requantization(layer.inputs, layer.outputs[0], op.clamp)
    return bind_sums(layer, {**params, "in_zero": x.q.zero_point if r else 0}, r, fold=False)


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind)
