"""BATCH_MATMUL for every core and shape, float32, int8 and int16: plain loops with literal strides."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.ir.tensor import Shape
from midge.kernels.geometry import Dim, merged
from midge.kernels.literals import INT32_LIMIT, constant_data, is_either, is_float, requantization_literals, span
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.batch_matmul import BatchMatmul, batch_matmul_factor


def bind(layer: Layer) -> Binding:
    """Loops over the matrices that broadcast, then rows, columns and products."""
    op, (x, y), shape = cast(BatchMatmul, layer.op), layer.inputs, layer.outputs[0].shape
    depth, outer = op.depth(layer.inputs), len(shape) - 2
    batches = merged(
        [
            Dim(n, (a, b))
            for n, a, b in zip(shape[:outer], _strides(x.shape, outer), _strides(y.shape, outer), strict=True)
        ]
    )
    params: dict[str, object] = {
        "names": [f"b{k}" for k in range(len(batches))],
        "sizes": [d.size for d in batches],
        "strides0": [d.strides[0] for d in batches],
        "strides1": [d.strides[1] for d in batches],
        "rows": shape[-2],
        "columns": shape[-1],
        "depth": depth,
        "x_steps": (1, x.shape[-1]) if op.transpose_x else (depth, 1),
        "y_steps": (depth, 1) if op.transpose_y else (1, y.shape[-1]),
        "is_float": is_float(layer),
        "low": None,
        "high": None,
    }
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    if is_float(layer):
        return Binding({**params, "number": "float", "zero0": 0, "zero1": 0}, constants)
    reach = span(x.dtype) ** 2 * depth
    literals, _ = requantization_literals(batch_matmul_factor(layer.inputs, layer.outputs), reach, x.dtype.c_type)
    return Binding(
        {
            **params,
            **literals,
            "number": "int32_t" if reach < INT32_LIMIT else "int64_t",
            "zero0": x.q.zero_point,
            "zero1": y.q.zero_point,
        },
        constants,
    )


def _strides(shape: Shape, outer: int) -> tuple[int, ...]:
    """Elements from one matrix to the next along each outer dimension; 0 where the operand has one for all."""
    padded = (1,) * (outer + 2 - len(shape)) + shape
    return tuple(0 if padded[i] == 1 else prod(padded[i + 1 :]) for i in range(outer))


VARIANT = Variant(__name__, fits=is_either, bind=bind)
