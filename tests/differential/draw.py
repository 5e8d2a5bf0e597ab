"""Draws one-op graphs of every operator with inputs: shapes, strides, paddings, dilations, scales and extremes.

`DRAWS` maps an operator's kind to a function of a random generator and an element type that gives a `Case`;
`draw_cases` is what tests call.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from differential.draw_tensors import Case, Rng
from differential.draw_values import (
    draw_add,
    draw_concatenation,
    draw_dequantize,
    draw_leaky_relu,
    draw_logistic,
    draw_lookup,
    draw_mean,
    draw_mul,
    draw_pad,
    draw_quantize,
    draw_relu,
    draw_softmax,
    draw_sub,
    draw_tanh,
    draw_transpose,
)
from differential.draw_windows import (
    draw_average_pool2d,
    draw_conv2d,
    draw_depthwise_conv2d,
    draw_fully_connected,
    draw_max_pool2d,
)
from midge.ir.graph import Array, DType

_BOTH, _FLOAT, _INT8 = (DType.S8, DType.F32), (DType.F32,), (DType.S8,)

DRAWS: Mapping[str, tuple[Callable[[Rng, DType], Case], tuple[DType, ...]]] = {
    "add": (draw_add, _BOTH),
    "average_pool2d": (draw_average_pool2d, _BOTH),
    "concatenation": (draw_concatenation, _BOTH),
    "conv2d": (draw_conv2d, _BOTH),
    "depthwise_conv2d": (draw_depthwise_conv2d, _BOTH),
    "dequantize": (draw_dequantize, _INT8),
    "fully_connected": (draw_fully_connected, _BOTH),
    "leaky_relu": (draw_leaky_relu, _FLOAT),
    "logistic": (draw_logistic, _FLOAT),
    "lookup": (draw_lookup, _INT8),
    "max_pool2d": (draw_max_pool2d, _BOTH),
    "mean": (draw_mean, _BOTH),
    "mul": (draw_mul, _BOTH),
    "pad": (draw_pad, _BOTH),
    "quantize": (draw_quantize, _BOTH),
    "relu": (draw_relu, _FLOAT),
    "softmax": (draw_softmax, _BOTH),
    "sub": (draw_sub, _BOTH),
    "tanh": (draw_tanh, _FLOAT),
    "transpose": (draw_transpose, _BOTH),
}


def draw_cases(kind: str, count: int, seed: int = 0) -> list[Case]:
    """`count` cases of the operator, float32 and int8 in turn where it has both; the same for the same arguments.

    Each graph has a name of its own, so that all can be linked into one program.
    """
    draw, types = DRAWS[kind]
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    cases = [draw(rng, types[i % len(types)]) for i in range(count)]
    return [replace(case, graph=replace(case.graph, name=f"{kind}_{i}")) for i, case in enumerate(cases)]


def mismatches(found: Array, expected: Array) -> int:
    """How many values differ: at all for integers, beyond midge's one tolerance for floats."""
    if expected.dtype.kind != "f":
        return int(np.count_nonzero(found != expected))
    size = np.abs(expected[np.isfinite(expected)])
    limit = 1e-4 * (size.max(initial=0.0) + np.abs(expected))
    with np.errstate(invalid="ignore"):
        return int(np.count_nonzero(~((np.abs(found - expected) <= limit) | (found == expected))))
