"""DEPTHWISE_CONV_2D: each input channel has its own `multiplier` filters; output channel = channel * multiplier + m."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import Clamp, Op, Padding
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.dynamic import dynamic_outputs
from midge.numerics.matrix_form import MatrixForm, depthwise_form
from midge.numerics.requantize import window_requantization
from midge.numerics.window_taps import taps_inside
from midge.numerics.windows import window_output_size, windows
from midge.ops.accumulators import are_constant, weighted_constants, windowed_sums, with_bias
from midge.ops.formats import SourceOp, tflite_clamp, tflite_padding, tflite_pair
from midge.ops.intervals import clamp_range, requantized_range
from midge.ops.tflite_writing import window, with_activation, with_padding
from midge.ops.types import check_weighted, dynamic_is_asymmetric, is_dynamic, reason_why_not
from midge.ops.uint8 import Symmetric
from midge.ops.uint8_weights import centered_parts, gathered, reading, window_scale, with_scale


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv2D(Op):
    """inputs: x (N, H, W, C), weights (1, KH, KW, C * multiplier), bias (C * multiplier) when there is one."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    clamp: Clamp

    weight_axis: ClassVar[Mapping[int, int]] = {1: 3}
    dynamic_axis: ClassVar[int | None] = 3
    bias_input: ClassVar[int | None] = 2

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(N, out_h, out_w, C * multiplier)."""
        x, weights = inputs[0].shape, inputs[1].shape
        if len(x) != 4 or len(weights) != 4 or weights[0] != 1 or weights[3] % x[3]:
            raise ValueError(f"input {x} and weights {weights} do not go together")
        if len(inputs) > 2 and inputs[2].shape != (weights[3],):
            raise ValueError(f"bias {inputs[2].shape} for {weights[3]} channels")
        size = window_output_size(x[1:3], weights[1:3], self.stride, self.dilation, self.padding)
        return ((x[0], *size, weights[3]),)

    def weight_channels(self, inputs: Sequence[Tensor]) -> tuple[int, int] | None:
        """One axis."""
        return 3, 3

    def as_matrix(self, inputs: Sequence[Tensor]) -> MatrixForm | None:
        """Of its windows, a group for each channel."""
        return depthwise_form(inputs[1].shape, inputs[0].shape[3], self.stride, self.dilation, self.padding)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8, or int16 activations; symmetric int8 weights.

        Float activations with int8 weights are quantized at run time.
        """
        reason = check_weighted(inputs, outputs, per_channel_axis=3)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: window_requantization(inputs, outputs[0], self.clamp))

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Output elements times window."""
        _, kh, kw, _ = inputs[1].shape
        return outputs[0].elements * kh * kw

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Sums over the window in float64 for floats, in integers for integers."""
        if is_dynamic(inputs):
            return [self._dynamic(inputs, values)]
        x, weights, *bias = values
        is_float = outputs[0].dtype is DType.F32
        wide = np.float64 if is_float else np.int64
        fill = 0 if is_float else inputs[0].q.zero_point
        kernel = (weights.shape[1], weights.shape[2])
        taps = windows(x, kernel, self.stride, self.dilation, self.padding, fill)
        sums = _depthwise_sums(taps, weights[0].astype(wide), fill)
        sums += bias[0] if bias else 0
        if is_float:
            return [np.clip(sums.astype(np.float32), *self.clamp).astype(np.float32)]
        scaled = window_requantization(inputs, outputs[0], self.clamp).apply(sums)
        return [scaled.astype(outputs[0].dtype.numpy)]

    def _dynamic(self, inputs: Sequence[Tensor], values: Sequence[Array]) -> Array:
        """Float activations with int8 weights: each image has a range of its own, found at run time."""
        x, weights, *bias = values

        def sums(offsets: Array) -> Array:
            kernel = (weights.shape[1], weights.shape[2])
            taps = windows(offsets.reshape(x.shape), kernel, self.stride, self.dilation, self.padding, 0)
            return _depthwise_sums(taps, weights[0].astype(np.int64), 0)

        return dynamic_outputs(
            x.reshape(len(x), -1),
            sums,
            inputs[1].q.scales,
            bias[0] if bias else None,
            asymmetric=dynamic_is_asymmetric(inputs[1]),
            clamp=self.clamp,
        )

    def accumulators(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> Range | None:
        """Every set of taps that some window has inside the input is looked at."""
        constants = weighted_constants(inputs)
        if constants is None:
            return None
        (_, *size, channels), weights = inputs[0].shape, constants[0][0].astype(np.int64)
        ends = [weights * np.repeat(end - inputs[0].q.zero_point, weights.shape[2] // channels) for end in ranges[0]]
        taps = np.moveaxis(np.minimum(*ends), 2, 0), np.moveaxis(np.maximum(*ends), 2, 0)
        kernel = (weights.shape[0], weights.shape[1])
        inside = taps_inside((size[0], size[1]), kernel, self.stride, self.dilation, self.padding)
        return with_bias(windowed_sums(taps, inside), constants[1])

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The ends of the sums, requantized."""
        sums = self.accumulators(inputs, outputs, ranges)
        if sums is None:
            return (clamp_range(outputs[0], self.clamp),)
        return (requantized_range(sums, window_requantization(inputs, outputs[0], self.clamp)),)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Each input channel with its filters and what they make; the filters of a single channel are free."""
        x, weights, *bias = inputs
        if not are_constant((weights, *bias)):
            return super().ties(inputs, outputs)
        channels, filters = x.shape[3], weights.shape[3]
        read = {} if channels == 1 else {3: np.arange(channels)}
        made = np.arange(filters) if channels == 1 else np.arange(filters) // (filters // channels)
        return (read, {3: made}, *({0: made} for _ in bias), {3: made})


def _depthwise_sums(taps: Array, weights: Array, fill: int) -> Array:
    """(N, OH, OW, KH, KW, C) with (KH, KW, C * multiplier) -> (N, OH, OW, C * multiplier), in the weights' type."""
    *outer, kh, kw, channels = taps.shape
    filters = weights.reshape(kh, kw, channels, -1)
    sums = np.zeros((*outer, channels, filters.shape[3]), weights.dtype)
    for i in range(kh):
        for j in range(kw):
            sums += (taps[:, :, :, i, j].astype(weights.dtype) - weights.dtype.type(fill))[..., None] * filters[i, j]
    return sums.reshape(*outer, -1)


def from_tflite(op: SourceOp) -> DepthwiseConv2D:
    """Reads a TFLite DEPTHWISE_CONV_2D; the channel multiplier comes from the shapes, as in TFLite's own kernel."""
    x, weights = op.tensor(0, rank=4), op.tensor(1, rank=4)
    stride = tflite_pair(op, "StrideH", "StrideW")
    dilation = tflite_pair(op, "DilationHFactor", "DilationWFactor")
    return DepthwiseConv2D(
        name=op.name,
        inputs=op.input_names(2, 3),
        outputs=op.output_names,
        stride=stride,
        dilation=dilation,
        padding=tflite_padding(op, x, (weights.shape[1], weights.shape[2]), stride, dilation),
        clamp=tflite_clamp(op),
    )


TFLITE = {"DEPTHWISE_CONV_2D": from_tflite}


def from_uint8(op: DepthwiseConv2D, known: Mapping[str, Tensor]) -> Symmetric:
    """With symmetric weights, or as a convolution in groups: each reads its channel as often as there are parts."""
    from midge.ops.conv2d import Conv2D  # which itself knows of depthwise ones

    x, weights = (known[name] for name in op.inputs[:2])
    parts = centered_parts(x, weights)
    weights = with_scale(op, weights, window_scale(x, weights, known[op.outputs[0]]))
    if len(parts) == 1:
        weights = replace(weights, data=parts[0])
        return Symmetric(reading(op, x, weights), (), (weights,))
    kernel = np.ascontiguousarray(np.stack([p[0] for p in parts], axis=-1).transpose(2, 0, 1, 3))
    weights = replace(weights, shape=kernel.shape, data=kernel)
    gather, twice = gathered(op, x, np.repeat(np.arange(x.shape[-1]), len(parts)))
    conv = Conv2D(
        name=op.name,
        inputs=op.inputs,
        outputs=op.outputs,
        stride=op.stride,
        dilation=op.dilation,
        padding=op.padding,
        clamp=op.clamp,
    )
    return Symmetric(reading(conv, twice, weights), (gather,), (weights, twice))


def to_tflite(op: DepthwiseConv2D, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite DEPTHWISE_CONV_2D."""
    x, weights, *bias = inputs
    before, padded, padding = with_padding(op, x, (weights.shape[1], weights.shape[2]), op.dilation)
    options = {"Padding": padding, "DepthMultiplier": weights.shape[3] // x.shape[3], **window(op)}
    return [*before, *with_activation(op, "DEPTHWISE_CONV_2D", [padded, weights, *bias], outputs[0], **options)]
