"""ONNX's BatchNormalization in inference: y = x * a + b per channel, which passes fold into the layer before."""

from __future__ import annotations

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Tensor
from midge.ops.add import Add
from midge.ops.formats import UnsupportedOp
from midge.ops.mul import Mul
from midge.ops.onnx_nodes import OnnxNode


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads a BatchNormalization of x (N, C, ...): a = scale / sqrt(variance + epsilon), b = bias - mean * a."""
    if node.attributes.get("training_mode", 0) or any(node.used[1:]) or not node.attributes.get("spatial", 1):
        raise UnsupportedOp("batch normalization in training mode", "export the model in inference mode")
    x = node.tensor(0)
    scale, bias, mean, variance = (node.constant(i).astype(np.float64).reshape(-1) for i in range(1, 5))
    channels = x.shape[1] if len(x.shape) > 1 else 1
    if any(len(values) != channels for values in (scale, bias, mean, variance)):
        raise ValueError(f"constants of {[len(v) for v in (scale, bias, mean, variance)]} for {channels} channels")
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    shape = (channels, *(1 for _ in x.shape[2:]))
    scaled = node.add(Mul, [x, node.new_constant("scale", factor.reshape(shape))], "scaled", clamp=NO_CLAMP)
    offset = node.new_constant("offset", (bias - mean * factor).reshape(shape))
    return [node.add(Add, [scaled, offset], "", clamp=NO_CLAMP)]


ONNX = {"BatchNormalization": from_onnx}
