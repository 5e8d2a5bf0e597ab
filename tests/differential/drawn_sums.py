"""Draws operators that make one value of many: reductions, matrix products, resizing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from differential.drawn_cases import Case, Rng, activation, case, constant, drawn_quant, drawn_shape, like
from differential.drawn_moves import draw_resize
from differential.drawn_weighted import drawn_bias, drawn_weights, weighted_output
from midge.ir.tensor import QUANTIZED, DType, Quant, Tensor

# Operators whose int8 form is midge's own: TFLite's wraps, goes through floats, or is not there.
OWN_INT8 = {"CUMSUM", "SUM"}


def _reduce(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    rank = len(x.shape)
    axes = rng.choice(np.arange(rank), int(rng.integers(1, rank + 1)), replace=False)
    axes = np.where(rng.random(len(axes)) < 0.3, axes - rank, axes)
    y = like(x)
    if code == "SUM" and dtype is DType.S8:
        y = replace(y, quant=drawn_quant(rng, x.q.scale * float(np.exp(rng.uniform(0, 5)))))
    if code == "REDUCE_PROD" and dtype is DType.S8:
        count = int(np.prod([x.shape[a] for a in {int(a) % rank for a in axes}]))
        x = replace(x, quant=drawn_quant(rng, float(rng.choice([0.01, 0.02, 0.05]))))
        y = replace(y, quant=drawn_quant(rng, float(rng.choice([0.01, 0.5, 2.0])) ** min(count, 3)))
    return case(code, rng, (x, constant("axes", axes)), y, {"KeepDims": bool(rng.integers(0, 2))})


def _batch_matmul(code: str, dtype: DType, rng: Rng) -> Case:
    """Either side transposed; batches that broadcast, but where TFLite forgets the ones behind a transposed x."""
    m, n, k = (int(v) for v in rng.integers(1, 9, 3))
    batch = drawn_shape(rng, int(rng.integers(0, 3)))
    turned = bool(rng.integers(0, 2)), bool(rng.integers(0, 2))
    other = tuple(1 if rng.random() < 0.3 and not turned[0] else b for b in batch)
    other = other[int(rng.integers(0, len(batch) + 1)) :]
    x = activation("x", (*batch, *((k, m) if turned[0] else (m, k))), dtype, rng)
    z = activation("z", (*other, *((n, k) if turned[1] else (k, n))), dtype, rng)
    y = Tensor("y", (), dtype)
    if dtype in QUANTIZED:
        spread = dtype.limits[1] * 0.6 * k**0.5
        y = replace(y, quant=drawn_quant(rng, x.q.scale * z.q.scale * spread, dtype))
    return case(code, rng, (x, z), y, {"AdjX": turned[0], "AdjY": turned[1]})


def _transpose_conv(code: str, dtype: DType, rng: Rng) -> Case:
    kernel, stride = rng.integers(1, 5, 2), rng.integers(1, 4, 2)
    x = activation("x", (int(rng.integers(1, 3)), *drawn_shape(rng, 2), int(rng.integers(1, 5))), dtype, rng)
    out, padding = int(rng.integers(1, 5)), int(rng.integers(0, 2))
    inside = np.array(x.shape[1:3])
    size = inside * stride if padding == 0 else (inside - 1) * stride + kernel
    weights = drawn_weights((out, *map(int, kernel), x.shape[3]), rng.choice([0, None]), dtype, rng)
    y = weighted_output(x, weights, int(kernel.prod()) * x.shape[3], rng)
    shape = constant("shape", (x.shape[0], *size, out))
    options = {"StrideH": int(stride[0]), "StrideW": int(stride[1]), "Padding": padding}
    return case(code, rng, (shape, weights, x, drawn_bias(out, x, weights, rng)), y, options)


def _l2_normalization(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", (*drawn_shape(rng, int(rng.integers(1, 4))), int(rng.choice([1, 3, 16, 100]))), dtype, rng)
    y = replace(like(x), quant=Quant.per_tensor(1 / 128, 0) if dtype is DType.S8 else None)
    return case(code, rng, (x,), y, {"FusedActivationFunction": 0})


def _log_softmax(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", (*drawn_shape(rng, int(rng.integers(0, 3))), int(rng.choice([1, 3, 100]))), dtype, rng)
    y = replace(like(x), quant=Quant.per_tensor(1 / 16, 127) if dtype is DType.S8 else None)
    return case(code, rng, (x,), y)


def _cumsum(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    axis = int(rng.integers(-len(x.shape), len(x.shape)))
    options = {"Exclusive": bool(rng.integers(0, 2)), "Reverse": bool(rng.integers(0, 2))}
    y = like(x)
    if dtype is DType.S8:
        y = replace(y, quant=drawn_quant(rng, x.q.scale * float(np.exp(rng.uniform(0, 3)))))
    return case(code, rng, (x, constant("axis", axis)), y, options)


REDUCTIONS = ("REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")
DRAWS: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    "BATCH_MATMUL": _batch_matmul,
    "CUMSUM": _cumsum,
    "LOG_SOFTMAX": _log_softmax,
    "L2_NORMALIZATION": _l2_normalization,
    "RESIZE_BILINEAR": draw_resize,
    "TRANSPOSE_CONV": _transpose_conv,
    **dict.fromkeys(REDUCTIONS, _reduce),
}
