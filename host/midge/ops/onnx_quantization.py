"""ONNX's QuantizeLinear and DequantizeLinear on activations, with ONNX's own rounding.

uint8 becomes int8 with 128 less: the same real values, so only an input or output of the network tells: it stays. On
constants both are computed when the file is read. int8 tensors of a file have no scale of their own; they carry the one
of the QuantizeLinear that writes them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.add import Add
from midge.ops.cast import Cast
from midge.ops.dequantize import Dequantize
from midge.ops.div import Div
from midge.ops.formats import UnsupportedOp
from midge.ops.maximum import Maximum
from midge.ops.minimum import Minimum
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.quantize import Quantize
from midge.ops.sub import Sub

# Floats near it are 1 apart, and it is even: a sum with it rounds halves to even.
_NO_FRACTION = 3 << 22
_PER_TENSOR = "quantize activations to int8 or uint8, per tensor"


def quantized(node: OnnxNode, x: Tensor, quant: Quant) -> Tensor:
    """x as int8 with that scale: the node's output."""
    if x.dtype is not DType.F32:
        raise UnsupportedOp(f"quantizes {x.dtype.value}", "quantize float32 activations")
    return node.add(Quantize, [x], "", dtype=DType.S8, quant=quant, ties_to_even=True)


def dequantized(node: OnnxNode, index: int, quant: Quant, role: str = "dequantize") -> Tensor:
    """Input `index`, int8 with that scale, as floats."""
    x = node.tensor(index)
    if x.dtype is DType.U8 and all(x.name not in op.outputs for op in node.sketch.ops):
        x = _from_uint8(node, x, quant)
    if x.dtype is not DType.S8:
        raise UnsupportedOp(f"dequantizes an input of type {x.dtype.value}", _PER_TENSOR)
    if x.quant is None:
        x = node.with_quant(x, quant)
    if x.quant != quant:
        raise UnsupportedOp("it has another scale than what it reads", "quantize and dequantize with one scale")
    return node.add(Dequantize, [x], role, integers=True, dtype=DType.F32)


def _from_uint8(node: OnnxNode, x: Tensor, quant: Quant) -> Tensor:
    """An input of the network that is uint8 in the file stays so; behind it is the int8 tensor with the same values."""
    unsigned = replace(quant, zero_points=tuple(z + 128 for z in quant.zero_points))
    if x.quant is None:
        x = node.with_quant(x, unsigned)
    if x.quant != unsigned:
        raise UnsupportedOp("it has another scale than what it reads", "quantize and dequantize with one scale")
    return node.add(Quantize, [x], "int8", integers=True, dtype=DType.S8, quant=quant)


def read_quant(node: OnnxNode, scale_index: int, zero_index: int) -> Quant:
    """A scale and zero point of the node as those of an int8 tensor."""
    scale = node.constant(scale_index)
    zero = np.zeros((), np.uint8) if node.optional(zero_index) is None else node.constant(zero_index)
    if scale.size != 1 or zero.size != 1 or zero.dtype not in (np.int8, np.uint8) or scale.dtype != np.float32:
        raise UnsupportedOp(f"a {scale.dtype} scale {list(scale.shape)} and {zero.dtype} zero point", _PER_TENSOR)
    return Quant.per_tensor(float(scale.item()), int(zero.item()) - (0 if zero.dtype == np.int8 else 128))


def _quantize(node: OnnxNode) -> list[Tensor]:
    if node.constant(1).size > 1:
        return [_quantized_per_channel(node)]
    return [quantized(node, node.tensor(0), read_quant(node, 1, 2))]


def _quantized_per_channel(node: OnnxNode) -> Tensor:
    """Plain 8-bit values, each channel by its own scale: rounded by a sum that floats hold without a fraction.

    They are clamped before: bounds are whole numbers, so that rounding keeps them.
    """
    x, scale = node.tensor(0), node.constant(1)
    axis = node.axis(int(node.attributes.get("axis", 1)), len(x.shape))
    zero = np.zeros(scale.shape, np.uint8) if node.optional(2) is None else node.constant(2)
    plain = {"int8": DType.S8, "uint8": DType.U8}.get(zero.dtype.name)
    if plain is None or scale.dtype != np.float32 or not scale.shape == zero.shape == (x.shape[axis],):
        raise UnsupportedOp(f"a {scale.dtype} scale {list(scale.shape)} and {zero.dtype} zero point", _PER_TENSOR)
    along = (-1, *[1] * (len(x.shape) - axis - 1))
    zero = zero.reshape(along).astype(np.int32)
    low, high = plain.limits
    y = node.add(Div, [x, node.new_constant("scale", scale.reshape(along))], "divided", clamp=NO_CLAMP)
    y = node.add(Maximum, [y, node.new_constant("low", low - zero)], "not_below")
    y = node.add(Minimum, [y, node.new_constant("high", high - zero)], "not_above")
    y = node.add(Add, [y, node.new_constant("no_fraction", np.array(_NO_FRACTION))], "rounded", clamp=NO_CLAMP)
    y = node.add(Sub, [y, node.new_constant("from", _NO_FRACTION - zero)], "whole", clamp=NO_CLAMP)
    return node.add(Cast, [y], "", dtype=plain)


def _dequantize(node: OnnxNode) -> list[Tensor]:
    return [dequantized(node, 0, read_quant(node, 1, 2), "")]


ONNX = {"DequantizeLinear": _dequantize, "QuantizeLinear": _quantize}
