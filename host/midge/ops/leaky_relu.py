"""LEAKY_RELU: x where it is not negative, alpha * x where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.elementwise import Elementwise
from midge.ops.formats import SourceOp
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import written
from midge.ops.types import check_same_type, reason_why_not
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class LeakyRelu(Elementwise):
    """inputs: x. `alpha`: the slope below zero, a float32 value, not negative."""

    alpha: float

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """It does."""
        return True

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 or int16, with a slope that is not negative."""
        if not isfinite(self.alpha) or self.alpha < 0:
            return f"a slope of {self.alpha} below zero"
        reason = check_same_type(inputs, outputs, QUANTIZED)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: leaky_relu_parameters(self, inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: one factor for each side of the zero point."""
        (x,) = values
        if outputs[0].dtype is DType.F32:
            return [np.where(x > 0, x, x * np.float32(self.alpha)).astype(np.float32)]
        p = leaky_relu_parameters(self, inputs, outputs)
        value = x.astype(np.int64) - p.input_zero_point
        scaled = np.where(
            value >= 0,
            multiply_by_quantized_multiplier(value, p.identity_multiplier, p.identity_shift),
            multiply_by_quantized_multiplier(value, p.alpha_multiplier, p.alpha_shift),
        )
        dtype = outputs[0].dtype
        return [np.clip(scaled + p.output_zero_point, *dtype.limits).astype(dtype.numpy)]


@dataclass(frozen=True)
class LeakyReluParameters:
    """out = saturate(output_zero_point + rescale(x - input_zero_point)), by the side that x is on."""

    input_zero_point: int
    output_zero_point: int
    identity_multiplier: int
    identity_shift: int
    alpha_multiplier: int
    alpha_shift: int


def leaky_relu_parameters(op: LeakyRelu, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> LeakyReluParameters:
    """The integers of a quantized LEAKY_RELU; the factors are computed in float32. Raises ValueError beyond 2^30.

    Source: LeakyReluPrepare in tensorflow/lite/kernels/activations.cc.
    """
    x, y = inputs[0].q, outputs[0].q
    x_scale, y_scale = np.float32(x.scale), np.float32(y.scale)
    identity = quantize_multiplier(float(x_scale / y_scale))
    alpha = quantize_multiplier(float(x_scale * np.float32(op.alpha) / y_scale))
    return LeakyReluParameters(x.zero_point, y.zero_point, *identity, *alpha)


def from_tflite(op: SourceOp) -> LeakyRelu:
    """Reads a TFLite LEAKY_RELU."""
    alpha = float(np.float32(op.attribute("Alpha")))
    return LeakyRelu(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names, alpha=alpha)


TFLITE = {"LEAKY_RELU": from_tflite}
from_uint8 = as_int8


def to_tflite(op: LeakyRelu, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite LEAKY_RELU."""
    return written(op, "LEAKY_RELU", inputs, outputs, Alpha=op.alpha)


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX LeakyRelu."""
    alpha = float(np.float32(node.attributes.get("alpha", 0.01)))
    return [node.add(LeakyRelu, [node.tensor(0)], "", alpha=alpha)]


ONNX = {"LeakyRelu": from_onnx}
