"""DEPTHWISE_CONV_2D: each input channel has its own `multiplier` filters; output channel = channel * multiplier + m."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.tensor import Array, Shape, Tensor
from midge.numerics.matrix_form import MatrixForm, depthwise_form
from midge.numerics.window_taps import taps_inside
from midge.numerics.windows import window_output_size
from midge.ops.accumulators import are_constant, weighted_constants, windowed_sums, with_bias
from midge.ops.families.weighted import Convolution, convolution_reader
from midge.ops.formats import SourceOp
from midge.ops.tflite_writing import window, with_activation, with_padding
from midge.ops.uint8 import Symmetric
from midge.ops.uint8_weights import centered_parts, gathered, reading, window_scale, with_scale


@dataclass(frozen=True, kw_only=True)
class DepthwiseConv2D(Convolution):
    """inputs: x (N, H, W, C), weights (1, KH, KW, C * multiplier), bias (C * multiplier) when there is one."""

    weight_axis: ClassVar[Mapping[int, int]] = {1: 3}
    dynamic_axis: ClassVar[int | None] = 3

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

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Output elements times window."""
        _, kh, kw, _ = inputs[1].shape
        return outputs[0].elements * kh * kw

    def sums(self, taps: Array, weights: Array, fill: int) -> Array:
        """In float64 for floats, in integers for integers."""
        *outer, kh, kw, channels = taps.shape
        wide = np.dtype(np.float64 if weights.dtype.kind == "f" else np.int64)
        filters = weights.astype(wide).reshape(kh, kw, channels, -1)
        sums: Array = np.zeros((*outer, channels, filters.shape[3]), wide)
        for i in range(kh):
            for j in range(kw):
                sums += (taps[:, :, :, i, j].astype(wide) - wide.type(fill))[..., None] * filters[i, j]
        return sums.reshape(*outer, -1)

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

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Each input channel with its filters and what they make; the filters of a single channel are free."""
        x, weights, *bias = inputs
        if not are_constant((weights, *bias)):
            return super().ties(inputs, outputs)
        channels, filters = x.shape[3], weights.shape[3]
        read = {} if channels == 1 else {3: np.arange(channels)}
        made = np.arange(filters) if channels == 1 else np.arange(filters) // (filters // channels)
        return (read, {3: made}, *({0: made} for _ in bias), {3: made})


# The multiplier comes from the shapes, as in TFLite's own kernel.
TFLITE = {"DEPTHWISE_CONV_2D": convolution_reader(DepthwiseConv2D)}


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
