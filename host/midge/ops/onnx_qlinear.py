"""ONNX's QOperator form: QLinearConv and QLinearMatMul, as what defines them: dequantize, compute, quantize.

Their weights keep their integers, so that midge.quantize.fuse makes the integer layer of them again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ops.conv2d import from_onnx as read_conv
from midge.ops.formats import UnsupportedOp
from midge.ops.fully_connected import from_onnx_matmul as read_matmul
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_quantization import dequantized, quantized, read_quant


def _conv(node: OnnxNode) -> list[Tensor]:
    x, weights = dequantized(node, 0, read_quant(node, 1, 2)), _weights(node, 3, axis=0)
    inputs = [x, weights]
    if node.optional(8) is not None:
        scales = np.float64(node.constant(1)).item() * node.constant(4).astype(np.float64).reshape(-1)
        inputs.append(node.new_constant("bias", node.constant(8) * scales))
    (y,) = read_conv(replace(node, inputs=tuple(inputs), name=f"{node.name}/conv"))
    return [quantized(node, y, read_quant(node, 6, 7))]


def _matmul(node: OnnxNode) -> list[Tensor]:
    x, weights = dequantized(node, 0, read_quant(node, 1, 2)), _weights(node, 3, axis=1)
    (y,) = read_matmul(replace(node, inputs=(x, weights), name=f"{node.name}/matmul"))
    return [quantized(node, y, read_quant(node, 6, 7))]


def _weights(node: OnnxNode, index: int, axis: int) -> Tensor:
    """Constant weights, their scale and their zero point from `index` on, as floats that know their integers."""
    stored, scale, zero = (node.constant(i) for i in range(index, index + 3))
    if stored.dtype not in (np.int8, np.uint8) or scale.dtype != np.float32:
        raise UnsupportedOp(f"weights of type {stored.dtype}", "quantize the weights to int8")
    channels = stored.shape[axis] if stored.ndim > axis else 1
    if scale.size not in (1, channels) or zero.size not in (1, scale.size) or not (scale > 0).all():
        raise UnsupportedOp(f"{scale.size} scales of weights {list(stored.shape)}", "quantize per tensor or channel")
    offset = 128 if stored.dtype == np.uint8 else 0
    points = np.broadcast_to(zero.reshape(-1).astype(np.int64), (scale.size,))
    quant = Quant(
        tuple(float(s) for s in scale.reshape(-1)),
        tuple(int(z) - offset for z in points),
        axis if scale.size > 1 else None,
    )
    values = (stored.astype(np.float32) - _along(points, axis, stored)) * _along(scale, axis, stored)
    return replace(node.new_constant("weights", values), quant=quant, dtype=DType.F32)


def _along(values: Array, axis: int, like: Array) -> Array:
    flat = values.reshape(-1).astype(np.float32)
    return flat.reshape([-1 if i == axis else 1 for i in range(like.ndim)]) if flat.size > 1 else flat.reshape(())


ONNX = {"QLinearConv": _conv, "QLinearMatMul": _matmul}
