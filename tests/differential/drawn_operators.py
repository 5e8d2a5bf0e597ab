"""Draws small operators of every kind with their inputs: shapes, strides, paddings, scales and extremes.

`DRAWS` maps an operator's TFLite code to a function of a random generator and an element type; `draw` calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from differential import drawn_boxes, drawn_elementwise, drawn_moves, drawn_sums, drawn_truths
from differential.drawn_cases import (
    Case,
    Rng,
    activation,
    activation_code,
    case,
    constant,
    drawn_quant,
    drawn_scale,
    drawn_shape,
    drawn_values,
    like,
)
from differential.drawn_weighted import drawn_bias, drawn_weights, weighted_output
from midge.ir.tensor import QUANTIZED, DType, Quant, Shape, Tensor


def draw(code: str, dtype: DType, rng: Rng) -> Case:
    """One case of the operator `code` with activations of `dtype`."""
    return DRAWS[code](code, dtype, rng)


# Operators with weights


def _window_attributes(kernel: tuple[int, int], limit: int, rng: Rng) -> tuple[dict[str, int], Shape]:
    """Stride, dilation and padding options, and an input size (height, width) that the window fits."""
    dilation = (int(rng.choice([1, 1, limit])), int(rng.choice([1, 1, limit])))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    options = {
        "StrideH": int(rng.integers(1, 4)),
        "StrideW": int(rng.integers(1, 4)),
        "DilationHFactor": dilation[0],
        "DilationWFactor": dilation[1],
        "Padding": int(rng.integers(0, 2)),
        "FusedActivationFunction": activation_code(rng),
    }
    return options, tuple(int(r + rng.integers(0, 7)) for r in reach)


def _conv(code: str, dtype: DType, rng: Rng) -> Case:
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    options, size = _window_attributes(kernel, 2, rng)
    groups, depth, out = int(rng.choice([1, 1, 1, 2])), int(rng.integers(1, 6)), int(rng.integers(1, 5))
    x = activation("x", (int(rng.integers(1, 3)), *size, depth * groups), dtype, rng)
    weights = drawn_weights((out * groups, *kernel, depth), rng.choice([0, None]), dtype, rng)
    output = weighted_output(x, weights, prod(kernel) * depth, rng)
    # TFLite's own CONV_2D refuses a convolution without a bias.
    return case(code, rng, (x, weights, drawn_bias(out * groups, x, weights, rng)), output, options)


def _depthwise(code: str, dtype: DType, rng: Rng) -> Case:
    kernel = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
    options, size = _window_attributes(kernel, 2, rng)
    options["DepthMultiplier"] = int(rng.choice([1, 1, 2, 3]))
    depth = int(rng.integers(1, 6))
    x = activation("x", (int(rng.integers(1, 3)), *size, depth), dtype, rng)
    channels = depth * options["DepthMultiplier"]
    weights = drawn_weights((1, *kernel, channels), rng.choice([3, None]), dtype, rng)
    output = weighted_output(x, weights, prod(kernel), rng)
    bias = () if rng.random() < 0.3 else (drawn_bias(channels, x, weights, rng),)
    return case(code, rng, (x, weights, *bias), output, options)


def _fully_connected(code: str, dtype: DType, rng: Rng) -> Case:
    units, depth = int(rng.integers(1, 9)), int(rng.choice([1, 7, 64, 300]))
    keep = bool(rng.integers(0, 2))
    shape = (*drawn_shape(rng, int(rng.integers(0, 3))), depth)
    x = activation("x", shape if keep or len(shape) > 1 else (1, depth), dtype, rng)
    weights = drawn_weights((units, depth), None, dtype, rng)
    output = weighted_output(x, weights, depth, rng)
    options = {"FusedActivationFunction": activation_code(rng), "KeepNumDims": keep}
    bias = None if rng.random() < 0.3 else drawn_bias(units, x, weights, rng)
    return case(code, rng, (x, weights, bias), output, options)


# Operators without


def _pool(code: str, dtype: DType, rng: Rng) -> Case:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    options, size = _window_attributes(kernel, 1, rng)
    options = {k: v for k, v in options.items() if not k.startswith("Dilation")}
    options |= {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
    x = activation("x", (int(rng.integers(1, 3)), *size, int(rng.integers(1, 6))), dtype, rng)
    return case(code, rng, (x,), like(x), options)


def _mean(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", tuple(int(n) for n in rng.integers(1, 12, int(rng.integers(1, 5)))), dtype, rng)
    rank = len(x.shape)
    axes = rng.choice(np.arange(rank), int(rng.integers(1, rank + 1)), replace=False)
    axes = np.where(rng.random(len(axes)) < 0.3, axes - rank, axes)
    scale = x.q.scale * float(np.exp(rng.uniform(-2, 1))) if dtype in QUANTIZED else 0
    output = (rng.choice([True, False]) and like(x)) or replace(
        like(x), quant=drawn_quant(rng, scale, dtype) if scale else None
    )
    return case(code, rng, (x, constant("axes", axes)), output, {"KeepDims": bool(rng.integers(0, 2))})


def _binary(code: str, dtype: DType, rng: Rng) -> Case:
    """Equal shapes, or one broadcast to the other in some dimensions; one operand may be constant."""
    shape = drawn_shape(rng)
    other = tuple(1 if rng.random() < 0.3 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
    x, y = (
        activation("x", shape, dtype, rng),
        activation("z", (rng.choice([True, False]) and shape) or other, dtype, rng),
    )
    if rng.random() < 0.3:
        y = replace(y, data=drawn_values(y, rng))
    if rng.random() < 0.5:
        x, y = replace(y, name="x"), replace(x, name="z")
    quant = None
    if dtype in QUANTIZED:
        natural = x.q.scale * y.q.scale * dtype.limits[1] if code == "MUL" else max(x.q.scale, y.q.scale)
        quant = drawn_quant(rng, natural * float(np.exp(rng.uniform(-1, 1) * rng.choice([1, 5]))), dtype)
    output = Tensor("y", (), dtype, quant)
    return case(code, rng, (x, y), output, {"FusedActivationFunction": activation_code(rng)})


def _concatenation(code: str, dtype: DType, rng: Rng) -> Case:
    first = activation("x0", drawn_shape(rng), dtype, rng)
    axis = int(rng.integers(0, len(first.shape)))
    sizes = rng.integers(1, 6, int(rng.integers(0, 4)))
    others = [
        replace(first, name=f"x{i + 1}", shape=(*first.shape[:axis], int(n), *first.shape[axis + 1 :]))
        for i, n in enumerate(sizes)
    ]
    spelled = axis - len(first.shape) if rng.random() < 0.3 else axis
    return case(code, rng, (first, *others), like(first), {"Axis": spelled, "FusedActivationFunction": 0})


def _pad(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    value = replace(x, name="value", shape=(), data=np.asarray(drawn_values(replace(x, shape=()), rng)))
    paddings = constant("paddings", rng.integers(0, 4, (len(x.shape), 2)))
    return case(code, rng, (x, paddings, value) if code == "PADV2" else (x, paddings), like(x))


def _reshape(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    shape = tuple(int(n) for n in rng.permutation((*x.shape, 1)))
    options = {"NewShape": shape}
    return case(code, rng, (x, constant("shape", shape)), replace(like(x), shape=shape), options)


def _squeeze(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", tuple(int(n) for n in rng.choice([1, 1, 3, 5], 4)), dtype, rng)
    ones = [i for i, n in enumerate(x.shape) if n == 1]
    dropped = ones[: int(rng.integers(0, len(ones) + 1))] or ones
    shape = tuple(n for i, n in enumerate(x.shape) if i not in dropped)
    return case(code, rng, (x,), replace(like(x), shape=shape), {"SqueezeDims": dropped})


def _expand_dims(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    axis = int(rng.integers(0, len(x.shape) + 1))
    spelled = axis - len(x.shape) - 1 if rng.random() < 0.3 else axis
    y = replace(like(x), shape=(*x.shape[:axis], 1, *x.shape[axis:]))
    return case(code, rng, (x, constant("axis", spelled)), y)


_SOFTMAX_QUANTS = {DType.S8: Quant.per_tensor(1 / 256, -128), DType.S16: Quant.per_tensor(1 / 32768, 0)}


def _softmax(code: str, dtype: DType, rng: Rng) -> Case:
    shape = (*drawn_shape(rng, int(rng.integers(0, 4))), int(rng.choice([1, 2, 10, 100, 511])))
    x = activation("x", shape, dtype, rng)
    if dtype is DType.S8:
        x = replace(x, quant=drawn_quant(rng, drawn_scale(rng, 1e-4, 3.0)))
    output = replace(like(x), quant=_SOFTMAX_QUANTS.get(dtype))
    return case(code, rng, (x,), output, {"Beta": float(np.float32(rng.choice([1.0, rng.uniform(0.1, 3)])))})


def _unary_table(output_quant: Quant) -> Callable[[str, DType, Rng], Case]:
    def drawn_case(code: str, dtype: DType, rng: Rng) -> Case:
        x = activation("x", (1, 256), dtype, rng)
        quants = {DType.S8: output_quant, DType.S16: Quant.per_tensor(1 / 32768, 0)}
        drawn = case(code, rng, (x,), replace(like(x), quant=quants.get(dtype)))
        every = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
        return replace(drawn, values=(every,)) if dtype is DType.S8 else drawn

    return drawn_case


def _rescaling(code: str, dtype: DType, rng: Rng) -> Case:
    """RELU and its like: any output scale."""
    x = activation("x", (3, 100), dtype, rng)
    output = like(x)
    if dtype in QUANTIZED:
        output = replace(output, quant=drawn_quant(rng, x.q.scale * float(np.exp(rng.uniform(-2, 2))), dtype))
    options = {"Alpha": float(np.float32(rng.choice([0, 0.01, 0.3, 1.5])))} if code == "LEAKY_RELU" else None
    return case(code, rng, (x,), output, options)


def _quantize(code: str, dtype: DType, rng: Rng) -> Case:
    """From `dtype` to int8, or from and to int16; floats with many exact halves between two steps."""
    x = activation("x", (3, 100), dtype, rng)
    to = rng.choice(np.array([DType.S8, DType.S16])) if dtype is DType.S16 else DType.S8
    steps = to.limits[1] / dtype.limits[1] if dtype in QUANTIZED else 0
    scale = x.q.scale / steps * float(np.exp(rng.uniform(-3, 3))) if steps else float(rng.choice([0.25, 0.1]))
    drawn = case(code, rng, (x,), Tensor("y", (), to, drawn_quant(rng, scale, to)))
    if dtype in QUANTIZED:
        return drawn
    halves = (rng.integers(-300, 300, x.shape) * 0.5 * scale).astype(np.float32)
    return replace(drawn, values=(halves,))


def _dequantize(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", (3, 100), dtype if dtype in QUANTIZED else DType.S8, rng)
    return case(code, rng, (x,), Tensor("y", (), DType.F32))


DRAWS: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "MEAN": _mean,
    "ADD": _binary,
    "SUB": _binary,
    "MUL": _binary,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "SOFTMAX": _softmax,
    "LOGISTIC": _unary_table(Quant.per_tensor(1 / 256, -128)),
    "TANH": _unary_table(Quant.per_tensor(1 / 128, 0)),
    "RELU": _rescaling,
    "RELU6": _rescaling,
    "RELU_N1_TO_1": _rescaling,
    "LEAKY_RELU": _rescaling,
    "QUANTIZE": _quantize,
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _expand_dims,
    **drawn_boxes.DRAWS,
    **drawn_elementwise.BINARY,
    **drawn_elementwise.OWN,
    **drawn_elementwise.UNARY,
    **drawn_moves.DRAWS,
    **drawn_moves.TAKES,
    **drawn_sums.DRAWS,
    **drawn_truths.DRAWS,
}

# What TensorFlow Lite has with whole numbers, int32 without a scale; its powers go through double.
INT32 = ("ADD", "ADD_N", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SUB")

# What TensorFlow Lite has with int16 activations.
INT16 = (
    "ABS",
    "ADD",
    "AVERAGE_POOL_2D",
    "BATCH_MATMUL",
    "BATCH_TO_SPACE_ND",
    "BROADCAST_TO",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEQUANTIZE",
    "EXP",
    "EXPAND_DIMS",
    "FILL",
    "FULLY_CONNECTED",
    "GATHER",
    "LEAKY_RELU",
    "LOGISTIC",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MEAN",
    "MINIMUM",
    "MIRROR_PAD",
    "MUL",
    "PACK",
    "PAD",
    "PADV2",
    "QUANTIZE",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "RELU",
    "RELU6",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "REVERSE_V2",
    "SELECT",
    "SELECT_V2",
    "SLICE",
    "SOFTMAX",
    "SPACE_TO_BATCH_ND",
    "SPLIT",
    "SPLIT_V",
    "SQUEEZE",
    "STRIDED_SLICE",
    "SUB",
    "TANH",
    "TRANSPOSE",
    "TRANSPOSE_CONV",
    "UNPACK",
    "ZEROS_LIKE",
)
