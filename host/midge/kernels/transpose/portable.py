"""TRANSPOSE for every core and shape, float32 and int8."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.geometry import Dim, merged
from midge.kernels.literals import is_either
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.transpose import Transpose


def bind(layer: Layer) -> Binding:
    """Loops over the output, in order, with the input's strides; axes that stay neighbors are one loop."""
    op, shape, out = cast(Transpose, layer.op), layer.inputs[0].shape, layer.outputs[0].shape
    strides = [prod(shape[axis + 1 :]) for axis in op.permutation]
    dims = merged([Dim(n, (prod(out[i + 1 :]), s)) for i, (n, s) in enumerate(zip(out, strides, strict=True))])
    names = [f"i{k}" for k in range(len(dims))] if len(dims) > 1 else ["i"][: len(dims)]
    return Binding({"names": names, "sizes": [d.size for d in dims], "strides": [d.strides[1] for d in dims]})


VARIANT = Variant(__name__, fits=is_either, bind=bind)
