"""SVDF for every core and shape: the state moves by one while it is summed up."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.kernels.literals import INT32_LIMIT, constant_data, float_clamp, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.svdf import Svdf, svdf_factors


def fits(layer: Layer) -> bool:
    """Constant weights."""
    return all(t.is_constant for t in layer.inputs[2:])


def bind(layer: Layer) -> Binding:
    """Weights as they are; the input's zero point is folded into a start value for each filter."""
    op, (x, _, features, times, *bias) = cast(Svdf, layer.op), layer.inputs
    filters, memory = times.shape
    params: dict[str, object] = {
        "batch": x.shape[0],
        "depth": x.shape[1],
        "units": filters // op.rank,
        "rank": op.rank,
        "memory": memory,
        "is_float": is_float(layer),
    }
    start = constant_data(bias[0]) if bias else None
    if is_float(layer):
        start = np.zeros(filters // op.rank, np.float32) if start is None else start
        weights = [("features", features), ("times", times)]
        constants = [Constant(role, "float", constant_data(t)) for role, t in weights]
        return Binding({**params, **float_clamp(op)}, (*constants, Constant("bias", "float", start)))
    first, second = svdf_factors(layer.inputs, layer.outputs)
    start = np.zeros(filters // op.rank, np.int32) if start is None else start
    rows, columns = constant_data(features).astype(np.int64), constant_data(times).astype(np.int64)
    folded = -x.q.zero_point * rows.sum(axis=1)
    widest = max(x.q.zero_point + 128, 127 - x.q.zero_point)
    seen = np.abs(folded) + widest * np.abs(rows).sum(axis=1)
    summed = (np.abs(columns).sum(axis=1) << 15).reshape(-1, op.rank).sum(axis=1) + np.abs(start.astype(np.int64))
    params |= {
        "first": first,
        "second": second,
        "zero_point": layer.outputs[0].q.zero_point,
        "seen": "int32_t" if int(seen.max()) < INT32_LIMIT else "uint32_t",
        "summed": "int32_t" if int(summed.max()) < INT32_LIMIT else "uint32_t",
    }
    constants = [
        Constant("features", "int8_t", constant_data(features)),
        Constant("times", "int16_t", constant_data(times)),
        Constant("starts", "int32_t", folded.astype(np.int32)),
        Constant("bias", "int32_t", start),
    ]
    return Binding(params, tuple(constants))


VARIANT = Variant(__name__, fits=fits, bind=bind)
