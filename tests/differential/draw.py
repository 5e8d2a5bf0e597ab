"""Draws one-op graphs of every operator with inputs: shapes, strides, paddings, dilations, scales and extremes.

`DRAWS` maps an operator's kind to a function of a random generator and an element type that gives a `Case`;
`draw_cases` is what tests call.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from differential import draw_dense, drawn_boxes, drawn_cases, drawn_elementwise, drawn_moves, drawn_sums, drawn_truths
from differential.draw_dense import fitting_cases
from differential.draw_states import draw_lstm, draw_svdf
from differential.draw_tensors import Case, Rng
from differential.draw_values import (
    draw_add,
    draw_concatenation,
    draw_dequantize,
    draw_layer_normalization,
    draw_leaky_relu,
    draw_lookup,
    draw_mean,
    draw_mul,
    draw_pad,
    draw_quantize,
    draw_relu,
    draw_softmax,
    draw_sub,
    draw_take,
)
from differential.draw_windows import (
    draw_average_pool2d,
    draw_conv2d,
    draw_depthwise_conv2d,
    draw_fully_connected,
    draw_max_pool2d,
)
from differential.drawn_operators import draw
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType
from midge.ir.verify import verify
from midge.kernels.select import layer_of
from midge.kernels.variant import Variant

_BOTH, _INT8 = (DType.S8, DType.F32), (DType.S8,)
# In the order of how many cases each has.
_ALL = (DType.S8, DType.F32, DType.S16)
_PLAIN, _WHOLE = (*_ALL, DType.S32), (DType.S8, DType.F32, DType.S32)
_NOT_INT8, _QUANTIZED = (DType.F32, DType.S16), (DType.S8, DType.S16)

# So many seeds are tried for a layer that a variant fits.
_SEEDS = 16

DRAWS: Mapping[str, tuple[Callable[[Rng, DType], Case], tuple[DType, ...]]] = {
    "add": (draw_add, _PLAIN),
    "average_pool2d": (draw_average_pool2d, _ALL),
    "concatenation": (draw_concatenation, _ALL),
    "conv2d": (draw_conv2d, _ALL),
    "depthwise_conv2d": (draw_depthwise_conv2d, _ALL),
    "dequantize": (draw_dequantize, _QUANTIZED),
    "fully_connected": (draw_fully_connected, _ALL),
    "layer_normalization": (draw_layer_normalization, _BOTH),
    "leaky_relu": (draw_leaky_relu, _NOT_INT8),
    "lookup": (draw_lookup, _INT8),
    "max_pool2d": (draw_max_pool2d, _ALL),
    "mean": (draw_mean, _ALL),
    "mul": (draw_mul, _PLAIN),
    "pad": (draw_pad, _ALL),
    "quantize": (draw_quantize, _ALL),
    "relu": (draw_relu, _NOT_INT8),
    "softmax": (draw_softmax, _ALL),
    "sub": (draw_sub, _PLAIN),
    "svdf": (draw_svdf, _BOTH),
    "unidirectional_sequence_lstm": (draw_lstm, _BOTH),
    "take": (draw_take, _BOTH),
}


# Kernels that a family of operators shares, with the TFLite codes of the family and the types that kernels compute in.
FAMILIES: Mapping[str, tuple[Sequence[str], tuple[DType, ...]]] = {
    "binary": (sorted(drawn_elementwise.BINARY), _PLAIN),
    "add_n": (["ADD_N"], (DType.F32, DType.S32)),
    "gather_nd": (["GATHER_ND"], _ALL),
    "pow": (["POW"], _WHOLE),
    "suppression": (sorted(drawn_boxes.DRAWS.keys() - {drawn_boxes.DETECTION}), (DType.F32,)),
    "detection_postprocess": ([drawn_boxes.DETECTION], (DType.F32,)),
    "arg": (["ARG_MAX", "ARG_MIN"], _BOTH),
    "cast": (["CAST", "LOGICAL_NOT"], _BOTH),
    "compare": ((*drawn_truths.COMPARISONS, *drawn_truths.LOGIC), _BOTH),
    "constant": (drawn_truths.CONSTANTS, _ALL),
    "select_v2": (["SELECT_V2"], _ALL),
    "batch_matmul": (["BATCH_MATMUL"], _ALL),
    "cumsum": (["CUMSUM"], _BOTH),
    "log_softmax": (["LOG_SOFTMAX"], _BOTH),
    "l2_normalization": (["L2_NORMALIZATION"], _BOTH),
    "reduce": (drawn_sums.REDUCTIONS, _ALL),
    "resize_bilinear": (["RESIZE_BILINEAR"], _ALL),
    "transpose_conv": (["TRANSPOSE_CONV"], _ALL),
    "unary": (sorted(drawn_elementwise.UNARY | dict.fromkeys(("LOGISTIC", "TANH"))), _NOT_INT8),
    "move": (sorted(drawn_moves.DRAWS.keys() - {"PACK", "SPLIT", "SPLIT_V", "UNPACK"}), _ALL),
}


# Of the families above, what neither TFLite nor midge has in int16.
_WITHOUT_INT16 = {
    "CEIL",
    "COS",
    "DIV",
    "FLOOR",
    "PRELU",
    "REDUCE_PROD",
    "ROUND",
    "SIGN",
    "SIN",
    "SQUARED_DIFFERENCE",
    "SUM",
}
_WITHOUT_INT32 = {"PRELU", "SQUARED_DIFFERENCE"}


def draw_cases(kind: str, count: int, seed: int = 0, code: str = "") -> list[Case]:
    """`count` cases of the operator, float32 and int8 in turn where it has both; the same for the same arguments.

    Of a family a quarter as many for each of its operators, or all of the one of that `code`. Each graph has a name of
    its own, so that all can be linked into one program.
    """
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    if kind in FAMILIES:
        codes, types = FAMILIES[kind]
        codes = [code] if code else codes
        each = count if len(codes) == 1 else max(count // 4, 2)
        cases = [_from_file(draw(code, _type(code, types, i), rng)) for code in codes for i in range(each)]
    else:
        make, types = DRAWS[kind]
        cases = [make(rng, types[i % len(types)]) for i in range(count)]
    return [replace(case, graph=replace(case.graph, name=f"{kind}_{i}")) for i, case in enumerate(cases)]


def _type(code: str, types: Sequence[DType], number: int) -> DType:
    dtype = types[number % len(types)]
    has_none = {DType.S16: code in _WITHOUT_INT16, DType.S32: code in _WITHOUT_INT32}.get(dtype, False)
    return types[0] if has_none else dtype


def _from_file(drawn: drawn_cases.Case) -> Case:
    """A case that is drawn as a file says it, as a graph."""
    tensors = {t.name: t for t in (*drawn.inputs, *drawn.source.outputs)}
    read = {t.name: v for t, v in zip(drawn.activations, drawn.values, strict=True) if t.name in drawn.op.inputs}
    graph = Graph(drawn.op.kind, tuple(read), drawn.op.outputs, tensors, (drawn.op,))
    return Case(verify(graph), tuple(read.values()))


def mismatches(found: Array, expected: Array) -> int:
    """How many values differ: at all for integers, beyond midge's one tolerance for floats."""
    if expected.dtype.kind != "f":
        return int(np.count_nonzero(found != expected))
    size = np.abs(expected[np.isfinite(expected)])
    limit = 1e-4 * (size.max(initial=0.0) + np.abs(expected))
    with np.errstate(invalid="ignore"):
        return int(np.count_nonzero(~((np.abs(found - expected) <= limit) | (found == expected))))


def drawn_kinds() -> set[str]:
    """The folders of kernels that there are cases for."""
    return {*DRAWS, *FAMILIES}


def cases_that_fit(
    kind: str, variant: Variant, count: int, seed: int = 0, wanted: Callable[[Case], bool] = lambda case: True
) -> list[Case]:
    """`count` cases of an operator, those that are `wanted`, of the first seed from `seed` on that has some for the
    variant: one for few shapes may fit none of the first. Where no seed has any, two of its own; else none."""
    for number in range(seed, seed + _SEEDS):
        cases = [case for case in draw_cases(kind, count, number) if wanted(case)]
        if any(variant.fits(layer_of(case.graph, 0)) for case in cases):
            return cases
    own = (kind, variant.name) in {**draw_dense.DRAWS, **draw_dense.SCALAR}
    return fitting_cases(variant, 2, seed) if own else []
