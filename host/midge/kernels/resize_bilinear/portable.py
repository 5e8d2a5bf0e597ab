"""RESIZE_BILINEAR for every core, size and type: neighbors and distances as tables by row and column."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.tensor import DType
from midge.kernels.literals import is_either, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.resize_bilinear import BITS, ResizeBilinear


def bind(layer: Layer) -> Binding:
    """Sizes, and three tables for each axis."""
    op, x = cast(ResizeBilinear, layer.op), layer.inputs[0]
    number = "float" if is_float(layer) else "int32_t"
    sums = "int64_t" if x.dtype is DType.S16 else number
    constants = []
    for axis, name in enumerate(("rows", "columns")):
        found = op.neighbors(axis, x, is_float(layer))
        step = x.shape[3] * (x.shape[2] if axis == 0 else 1)
        constants += [
            Constant(f"{name}_low", "int32_t", (found.low * step).astype(np.int32)),
            Constant(f"{name}_high", "int32_t", (found.high * step).astype(np.int32)),
            Constant(f"{name}_part", number, found.part.astype(np.float32 if is_float(layer) else np.int32)),
        ]
    params: dict[str, object] = dict(zip(("batch", "in_h", "in_w", "in_c"), x.shape, strict=True))
    params |= {
        "out_h": op.size[0],
        "out_w": op.size[1],
        "element": x.dtype.c_type,
        "number": number,
        "unit": 1 << BITS,
        "sums": sums,
    }
    return Binding({**params, "is_float": is_float(layer)}, tuple(constants))


VARIANT = Variant(__name__, fits=is_either, bind=bind)
