"""FULLY_CONNECTED: y[n,o] = clamp(bias[o] + sum over d of x[n,d] * w[o,d]), x seen as (batch, depth)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from midge.ir.channels import Mixing, Range, Ties
from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.dynamic import dynamic_outputs
from midge.numerics.matrix_form import MatrixForm, dense_form
from midge.numerics.requantize import (
    Requantization,
    requantization,
    requantization_per_tensor,
    with_wide_sums,
)
from midge.ops.accumulators import are_constant, weighted_constants, with_bias
from midge.ops.add import Add
from midge.ops.batch_matmul import BatchMatmul
from midge.ops.families.weighted import Weighted
from midge.ops.formats import SourceOp, UnsupportedOp, tflite_clamp
from midge.ops.intervals import common_classes, regrouped, sum_range
from midge.ops.mul import Mul
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.tflite_writing import with_activation
from midge.ops.types import is_dynamic
from midge.ops.uint8 import Symmetric
from midge.ops.uint8_weights import centered_parts, split_channels, with_scale


@dataclass(frozen=True, kw_only=True)
class FullyConnected(Weighted):
    """inputs: x (any shape whose size is a multiple of depth), weights (units, depth), bias (units) when there is one.

    `keep_num_dims`: the output keeps the leading dimensions of x; otherwise it is (batch, units). `asymmetric`: whether
    ranges that are found at run time have a zero point.
    """

    keep_num_dims: bool = False
    asymmetric: bool = False

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(batch, units), or x's shape with `units` last."""
        x, weights = inputs[0].shape, inputs[1].shape
        if len(weights) != 2 or not x or prod(x) % weights[1]:
            raise ValueError(f"input {x} and weights {weights} do not go together")
        if len(inputs) > 2 and inputs[2].shape != (weights[0],):
            raise ValueError(f"bias {inputs[2].shape} for {weights[0]} units")
        if not self.keep_num_dims:
            return ((prod(x) // weights[1], weights[0]),)
        if x[-1] != weights[1]:
            raise ValueError(f"the last dimension of {x} is not the depth {weights[1]}")
        return ((*x[:-1], weights[0]),)

    def weight_channels(self, inputs: Sequence[Tensor]) -> tuple[int, int] | None:
        """None where the weights read more than the last dimension."""
        return (1, 0) if inputs[0].shape[-1] == inputs[1].shape[1] else None

    def as_matrix(self, inputs: Sequence[Tensor]) -> MatrixForm | None:
        """It is one."""
        return dense_form((inputs[1].shape[0], inputs[1].shape[1]))

    def requantization(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Requantization:
        """The factor(s) from accumulator to output: TFLite's rounded product of scales, or one factor per unit."""
        derive = requantization_per_tensor if inputs[1].q.axis is None else requantization
        found = derive(inputs[0], inputs[1], outputs[0], self.clamp)
        # Without a bias TFLite's kernel sums up in 32 bits, whatever the activations.
        return with_wide_sums(found, inputs) if len(inputs) > 2 else found

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Output elements times depth."""
        return outputs[0].elements * inputs[1].shape[1]

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Sums in float64: exact for integers, whose sums stay far below 2^53."""
        if is_dynamic(inputs):
            return [self._dynamic(inputs, values).reshape(outputs[0].shape)]
        x, weights, *bias = values
        fill = 0 if outputs[0].dtype is DType.F32 else inputs[0].q.zero_point
        rows = x.reshape(-1, weights.shape[1]).astype(np.float64) - fill
        sums = rows @ weights.astype(np.float64).T + (bias[0] if bias else 0)
        return [self.scaled(sums, inputs, outputs).reshape(outputs[0].shape)]

    def _dynamic(self, inputs: Sequence[Tensor], values: Sequence[Array]) -> Array:
        """Float activations with int8 weights: each row has a range of its own, found at run time."""
        x, weights, *bias = values
        return dynamic_outputs(
            x.reshape(-1, weights.shape[1]),
            lambda offsets: offsets @ weights.astype(np.int64).T,
            inputs[1].q.scales,
            bias[0] if bias else None,
            asymmetric=self.asymmetric,
            clamp=self.clamp,
        )

    def accumulators(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> Range | None:
        """The input seen as rows: a column holds what its channels hold."""
        constants = weighted_constants(inputs)
        if constants is None:
            return None
        weights, bias = constants
        low, high = regrouped(ranges[0], weights.shape[1])
        zero_point = inputs[0].q.zero_point
        return with_bias(sum_range(weights, (low - zero_point, high - zero_point)), bias)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Input channels with the columns that read them, output units with their row."""
        x, weights, *bias = inputs
        if not are_constant(inputs[1:]):
            return super().ties(inputs, outputs)
        classes = common_classes(x.shape[-1], weights.shape[1])
        read, made = np.arange(x.shape[-1]) % classes, np.arange(weights.shape[0]) + classes
        columns = np.arange(weights.shape[1]) % classes
        x_axis, y_axis = len(x.shape) - 1, len(outputs[0].shape) - 1
        return ({x_axis: read}, {0: made, 1: columns}, *({0: made} for _ in bias), {y_axis: made})

    def mixing(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Mixing | None:
        """All of it: one tap, always there."""
        constants = weighted_constants(inputs)
        if constants is None:
            return None
        return Mixing(constants[0][:, None, :], constants[1], np.ones(1, bool))


def from_tflite(op: SourceOp) -> FullyConnected:
    """Reads a TFLite FULLY_CONNECTED."""
    if op.attributes.get("WeightsFormat", 0) != 0:
        raise UnsupportedOp("the weights are stored in shuffled order", "export with the default weights format")
    return FullyConnected(
        name=op.name,
        inputs=op.input_names(2, 3),
        outputs=op.output_names,
        clamp=tflite_clamp(op),
        keep_num_dims=bool(op.attributes.get("KeepNumDims", False)),
        asymmetric=bool(op.attributes.get("AsymmetricQuantizeInputs", False)),
    )


TFLITE = {"FULLY_CONNECTED": from_tflite}


def from_uint8(op: FullyConnected, known: Mapping[str, Tensor]) -> Symmetric:
    """With symmetric weights."""
    x, weights = (known[name] for name in op.inputs[:2])
    parts = centered_parts(x, weights)
    return split_channels(op, x, with_scale(op, weights, weights.q.scale), parts)


def to_tflite(op: FullyConnected, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite FULLY_CONNECTED."""
    options = {"WeightsFormat": 0, "KeepNumDims": op.keep_num_dims, "AsymmetricQuantizeInputs": op.asymmetric}
    return with_activation(op, "FULLY_CONNECTED", inputs, outputs[0], **options)


def from_onnx_matmul(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX MatMul: a layer of units where a constant matrix is on its right."""
    x, weights = node.tensor(0), node.tensor(1)
    if not weights.is_constant or len(weights.shape) != 2:
        return [node.add(BatchMatmul, [x, weights], "", transpose_x=False, transpose_y=False)]
    rows = node.transpose(weights, (1, 0), "weights")
    return [node.add(FullyConnected, [x, rows], "", clamp=NO_CLAMP, keep_num_dims=True)]


def from_onnx_gemm(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Gemm with a constant matrix B; `alpha` and `beta` go into the constants."""
    x, weights, bias = node.tensor(0, rank=2), _constant_matrix(node), node.optional(2)
    alpha, beta = float(node.attributes.get("alpha", 1.0)), float(node.attributes.get("beta", 1.0))
    if not node.attributes.get("transB", 0):
        weights = node.transpose(weights, (1, 0), "weights")
    if alpha != 1.0:
        weights = node.new_constant("weights", np.asarray(weights.data) * np.float32(alpha))
    if node.attributes.get("transA", 0):
        x = node.transpose(x, (1, 0), "a")
    inputs = [x, weights]
    if bias is None or beta == 0.0:
        return [node.add(FullyConnected, inputs, "", clamp=NO_CLAMP)]
    units = weights.shape[0]
    if bias.is_constant and np.broadcast_shapes(bias.shape, (1, units)) == (1, units):
        row = np.broadcast_to(node.constant(2) * np.float32(beta), (1, units)).reshape(-1)
        inputs.append(node.new_constant("bias", row))
        return [node.add(FullyConnected, inputs, "", clamp=NO_CLAMP)]
    if beta != 1.0:
        factor = node.new_constant("beta", np.array(beta))
        bias = node.add(Mul, [bias, factor], "scaled_bias", clamp=NO_CLAMP)
    product = node.add(FullyConnected, inputs, "", clamp=NO_CLAMP)
    return [node.add(Add, [product, bias], "bias", clamp=NO_CLAMP)]


def _constant_matrix(node: OnnxNode) -> Tensor:
    weights = node.tensor(1)
    if not weights.is_constant or len(weights.shape) != 2:
        what = "is computed at run time" if not weights.is_constant else f"has {len(weights.shape)} dimensions"
        raise UnsupportedOp(f"its second factor {what}", "use a constant matrix of weights")
    return weights


ONNX = {"Gemm": from_onnx_gemm, "MatMul": from_onnx_matmul}
