"""The older uint8 quantization, said in int8: every value and zero point with 128 less, the same real values.

Where TFLite's uint8 kernels compute as its int8 ones do, nothing else changes. Weights may have a zero point: weights
less their zero point need 9 bits, so the inputs whose weights do not fit 8 are read twice, each time with a part of the
weight; the sums stay the same. Averages round halves up on unsigned values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from midge.ir.graph import Array, DType, Op, Quant, Tensor
from midge.numerics.fixed_point import quantize_multiplier
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.formats import UnsupportedOp
from midge.ops.fully_connected import FullyConnected
from midge.ops.gather import Gather
from midge.ops.reshape import Reshape

OFFSET = 128
# Operators whose uint8 kernels in TFLite equal the int8 ones on values less 128, with what this module does to them.
EXACT = frozenset(
    {
        "ADD",
        "ARG_MAX",
        "ARG_MIN",
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_TO",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "EQUAL",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "GATHER",
        "GELU",
        "GREATER",
        "GREATER_EQUAL",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LESS",
        "LESS_EQUAL",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MIRROR_PAD",
        "MUL",
        "NOT_EQUAL",
        "PACK",
        "PAD",
        "PADV2",
        "PRELU",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SELECT",
        "SELECT_V2",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "TANH",
        "TILE",
        "TRANSPOSE",
        "UNPACK",
    }
)
_REMEDY = "convert again with TensorFlow 2, which quantizes to int8"
# Weights are split into parts of at most this size, with either sign.
_PART = 127


def refusal(code: str) -> UnsupportedOp:
    """The problem of an operator that TFLite computes otherwise on uint8 than on int8."""
    return UnsupportedOp(
        f"uint8 values, the older quantization: which TensorFlow Lite's {code} computes otherwise than int8", _REMEDY
    )


def shifted(tensor: Tensor, name: str) -> Tensor:
    """The uint8 `tensor` as int8 with the same real values, under another name."""
    quant = tensor.q
    zeros = tuple(z - OFFSET for z in quant.zero_points)
    data = None if tensor.data is None else (tensor.data.astype(np.int16) - OFFSET).astype(np.int8)
    return Tensor(name, tensor.shape, DType.S8, replace(quant, zero_points=zeros), data)


@dataclass(frozen=True)
class Symmetric:
    """An operator with symmetric int8 weights, the operators that go before it, and all tensors that are new."""

    op: Op
    before: tuple[Op, ...]
    tensors: tuple[Tensor, ...]


def symmetric(op: Op, known: Mapping[str, Tensor]) -> Symmetric:
    """`op` on shifted tensors as one that TFLite's uint8 kernel equals. Raises UnsupportedOp where there is none."""
    if isinstance(op, AveragePool2D):
        return Symmetric(replace(op, halves_up=True), (), ())
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return Symmetric(op, (), ())
    x, weights = (known[name] for name in op.inputs[:2])
    if weights.data is None or weights.quant is None or weights.quant.axis is not None or x.quant is None:
        raise UnsupportedOp("uint8 weights that are computed, or have a scale per channel", _REMEDY)
    parts = _parts(weights.data.astype(np.int64) - weights.q.zero_point)
    scale = weights.q.scale if isinstance(op, FullyConnected) else _window_scale(x, weights, known[op.outputs[0]])
    split = _split_depthwise if isinstance(op, DepthwiseConv2D) else _split_channels
    return split(op, x, replace(weights, name=f"{weights.name}/{op.name}", quant=Quant((scale,), (0,))), parts)


def _parts(centered: Array) -> list[Array]:
    """Int8 weights whose sum is `centered`: the first as near as it comes, the others mostly 0."""
    parts: list[Array] = []
    while not parts or centered.any():
        parts.append(np.clip(centered, -_PART, _PART).astype(np.int8))
        centered = centered - parts[-1]
    return parts


def _window_scale(x: Tensor, weights: Tensor, y: Tensor) -> float:
    """The weights' scale with which a convolution has the factor of TFLite's uint8 one: of a product in float32.

    It is no float32 itself. Source: GetQuantizedConvolutionMultipler in tensorflow/lite/kernels/kernel_util.cc.
    """
    product = float(np.float32(x.q.scale) * np.float32(weights.q.scale))
    wanted = quantize_multiplier(product / y.q.scale)
    middle = product / x.q.scale
    for scale in (middle, float(np.nextafter(middle, 0)), float(np.nextafter(middle, np.inf))):
        if quantize_multiplier(x.q.scale * scale / y.q.scale) == wanted:
            return scale
    raise UnsupportedOp("scales whose product midge cannot say", _REMEDY)


def _split_channels(op: Any, x: Tensor, weights: Tensor, parts: Sequence[Array]) -> Symmetric:
    """The channels that later parts read are appended to the input."""
    axis = weights.data.ndim - 1 if weights.data is not None else 0
    needed = [np.flatnonzero(part.any(axis=tuple(range(axis)))) for part in parts[1:]]
    kernel = np.concatenate([parts[0], *(p[..., n] for p, n in zip(parts[1:], needed, strict=True))], axis=-1)
    weights = replace(weights, shape=kernel.shape, data=kernel)
    if not needed:
        return Symmetric(_reading(op, x, weights), (), (weights,))
    depth, before, rows = parts[0].shape[-1], [], x
    if isinstance(op, FullyConnected) and x.shape[-1] != depth:
        rows = replace(x, name=f"{op.name}/rows", shape=(prod(x.shape) // depth, depth))
        before.append(Reshape(name=rows.name, inputs=(x.name,), outputs=(rows.name,), shape=rows.shape))
    if rows.shape[-1] != depth:
        raise UnsupportedOp("uint8 weights of more than 8 bits in groups", _REMEDY)
    indices = np.concatenate([np.arange(depth), *needed])
    gather, twice = _gathered(op, rows, indices)
    return Symmetric(_reading(op, twice, weights), (*before, gather), (weights, rows, twice))


def _split_depthwise(op: Any, x: Tensor, weights: Tensor, parts: Sequence[Array]) -> Symmetric:
    """With several parts, a convolution in groups: each group reads its channel as often as there are parts."""
    if len(parts) == 1:
        weights = replace(weights, data=parts[0])
        return Symmetric(_reading(op, x, weights), (), (weights,))
    kernel = np.ascontiguousarray(np.stack([p[0] for p in parts], axis=-1).transpose(2, 0, 1, 3))
    weights = replace(weights, shape=kernel.shape, data=kernel)
    gather, twice = _gathered(op, x, np.repeat(np.arange(x.shape[-1]), len(parts)))
    conv = Conv2D(
        name=op.name,
        inputs=op.inputs,
        outputs=op.outputs,
        stride=op.stride,
        dilation=op.dilation,
        padding=op.padding,
        clamp=op.clamp,
    )
    return Symmetric(_reading(conv, twice, weights), (gather,), (weights, twice))


def _gathered(op: Op, x: Tensor, indices: Array) -> tuple[Gather, Tensor]:
    """The channels of `x` at `indices`."""
    twice = replace(x, name=f"{op.name}/channels", shape=(*x.shape[:-1], len(indices)))
    found = tuple(int(i) for i in indices)
    where = {"inputs": (x.name,), "outputs": (twice.name,)}
    return Gather(name=twice.name, axis=len(x.shape) - 1, indices=found, shape=(len(found),), **where), twice


def _reading(op: Op, x: Tensor, weights: Tensor) -> Op:
    return replace(op, inputs=(x.name, weights.name, *op.inputs[2:]))


def computed_with(
    operators: Iterable[tuple[str, Sequence[int]]], is_uint8: Callable[[int], bool], is_float: Callable[[int], bool]
) -> list[int]:
    """The indices of the uint8 tensors that operators, each a code and its operands, compute with.

    QUANTIZE between integers does with either form, so what it alone names, such as a network's uint8 input or output,
    stays as it is.
    """
    found = set()
    for code, operands in operators:
        if code in EXACT or (code == "QUANTIZE" and any(is_float(i) for i in operands)):
            found |= {i for i in operands if is_uint8(i)}
    return sorted(found)
