"""RELU, RELU6, RELU_N1_TO_1: clamp(x), where it is an operator of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from midge.ir.graph import Clamp
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.numerics.fixed_point import integer_clamp, multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.families.elementwise import Elementwise
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode, unary
from midge.ops.onnx_plain_integers import exact_in_float
from midge.ops.tflite_writing import written
from midge.ops.types import check_same_type, reason_why_not
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Relu(Elementwise):
    """inputs: x."""

    clamp: Clamp

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """It does."""
        return True

    def sum_step(self, steps: Sequence[Any]) -> Any:
        """The input's."""
        return steps[0]

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 or int16."""
        reason = check_same_type(inputs, outputs, QUANTIZED)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: relu_parameters(self, inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Integers: rescaled to the output, then clamped."""
        (x,) = values
        if outputs[0].dtype is DType.F32:
            return [np.clip(x, *self.clamp).astype(np.float32)]
        p = relu_parameters(self, inputs, outputs)
        scaled = multiply_by_quantized_multiplier(x.astype(np.int64) - p.input_zero_point, p.multiplier, p.shift)
        dtype = outputs[0].dtype
        return [np.clip(scaled + p.output_zero_point, p.low, p.high).astype(dtype.numpy)]


@dataclass(frozen=True)
class ReluParameters:
    """out = clamp(output_zero_point + rescale(x - input_zero_point)), rescale by (multiplier, shift)."""

    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int
    low: int
    high: int


def relu_parameters(op: Relu, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> ReluParameters:
    """The integers of a quantized RELU; the factor is computed in float32. Raises ValueError when it is beyond 2^30.

    Source: ReluPrepare and QuantizedReluX in tensorflow/lite/kernels/activations.cc.
    """
    x, y = inputs[0].q, outputs[0].q
    multiplier, shift = quantize_multiplier(float(np.float32(x.scale) / np.float32(y.scale)))
    low, high = integer_clamp(op.clamp, y, outputs[0].dtype)
    return ReluParameters(x.zero_point, y.zero_point, multiplier, shift, low, high)


_LARGEST = float(np.finfo(np.float32).max)
_CLAMPS: dict[str, Clamp] = {"RELU": (0.0, inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def from_tflite(op: SourceOp) -> Relu:
    """Reads a TFLite RELU, RELU6 or RELU_N1_TO_1."""
    return Relu(name=op.name, inputs=op.input_names(1, 1), outputs=op.output_names, clamp=_CLAMPS[op.code])


TFLITE = dict.fromkeys(_CLAMPS, from_tflite)
from_uint8 = as_int8


def to_tflite(op: Relu, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite RELU."""
    for code, clamp in _CLAMPS.items():
        if clamp == op.clamp:
            return written(op, code, inputs, outputs)
    raise UnsupportedOp(f"a clamp to {op.clamp}", "clamp as RELU or RELU6 does")


def from_onnx_clip(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Clip whose bounds are constant: inputs, or attributes up to opset 10."""
    bounds = [float(node.attributes.get(name, end)) for name, end in (("min", -inf), ("max", inf))]
    bounds = [b if node.optional(i) is None else float(node.constant(i).item()) for i, b in enumerate(bounds, 1)]
    # Float32's largest numbers are what exporters write for none.
    low, high = (b if abs(b) < _LARGEST else inf * b for b in bounds)
    if not low <= high:
        raise UnsupportedOp(f"bounds {low} and {high}", "clip to a range that holds something")
    return [node.add(Relu, [node.tensor(0)], "", clamp=(low, high))]


ONNX = {"Clip": exact_in_float(from_onnx_clip), "Relu": unary(Relu, clamp=(0.0, inf))}
