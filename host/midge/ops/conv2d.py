"""CONV_2D: y[n,i,j,o] = clamp(bias[o] + sum over window and channels of x * w[o,...])."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from midge.ir.channels import Mixing, Range, Ties
from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, Shape, Tensor
from midge.numerics.matrix_form import MatrixForm, window_form
from midge.numerics.window_taps import TapsInside, always_inside, taps_inside
from midge.numerics.windows import window_output_size
from midge.ops.accumulators import are_constant, weighted_constants, windowed_sums, with_bias
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.families.weighted import Convolution, convolution_reader
from midge.ops.formats import SourceOp
from midge.ops.intervals import sum_range
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_windows import channels_first, channels_last, onnx_window
from midge.ops.tflite_writing import window, with_activation, with_padding
from midge.ops.uint8 import Symmetric
from midge.ops.uint8_weights import centered_parts, split_channels, window_scale, with_scale

# Windows are widened to float64 in bands of about this many elements (32 MiB).
_BAND_ELEMENTS = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Conv2D(Convolution):
    """inputs: x (N, H, W, C), weights (O, KH, KW, C / groups), bias (O) when there is one."""

    dynamic_axis: ClassVar[int | None] = 0

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(N, out_h, out_w, O)."""
        x, weights = inputs[0].shape, inputs[1].shape
        if len(x) != 4 or len(weights) != 4 or x[3] % weights[3] or weights[0] % (x[3] // weights[3]):
            raise ValueError(f"input {x} and weights {weights} do not go together")
        if len(inputs) > 2 and inputs[2].shape != (weights[0],):
            raise ValueError(f"bias {inputs[2].shape} for {weights[0]} channels")
        size = window_output_size(x[1:3], weights[1:3], self.stride, self.dilation, self.padding)
        return ((x[0], *size, weights[0]),)

    def weight_channels(self, inputs: Sequence[Tensor]) -> tuple[int, int] | None:
        """None in groups."""
        return (3, 0) if inputs[0].shape[3] == inputs[1].shape[3] else None

    def as_matrix(self, inputs: Sequence[Tensor]) -> MatrixForm | None:
        """Of its windows."""
        x, weights = inputs[0].shape, inputs[1].shape
        return window_form(weights, x[3] // weights[3], self.stride, self.dilation, self.padding)

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Output elements times window times input channels of a group."""
        _, kh, kw, c = inputs[1].shape
        return outputs[0].elements * kh * kw * c

    def sums(self, taps: Array, weights: Array, fill: int) -> Array:
        """In float64: exact for integers, whose sums stay far below 2^53. In bands of bounded memory."""
        wide = weights.astype(np.float64)
        step = max(1, _BAND_ELEMENTS // taps[:, :1].size)
        bands = (taps[:, top : top + step].astype(np.float64) - fill for top in range(0, taps.shape[1], step))
        return np.concatenate([_grouped_product(band, wide) for band in bands], axis=1)

    def accumulators(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> Range | None:
        """Every set of taps that some window has inside the input is looked at."""
        constants = weighted_constants(inputs)
        if constants is None:
            return None
        weights, bias = constants
        low, high = (end - inputs[0].q.zero_point for end in ranges[0])
        groups = inputs[0].shape[3] // weights.shape[3]
        split = zip(np.split(weights, groups), np.split(low, groups), np.split(high, groups), strict=True)
        parts = [sum_range(filters, (start, end)) for filters, start, end in split]
        taps = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        return with_bias(windowed_sums(taps, self._taps_inside(inputs)), bias)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Input channels with the weights that read them, output channels with their filter; nothing in groups."""
        x, weights, *bias = inputs
        if not are_constant(inputs[1:]) or x.shape[3] != weights.shape[3]:
            return super().ties(inputs, outputs)
        read, made = np.arange(x.shape[3]), np.arange(weights.shape[0]) + x.shape[3]
        return ({3: read}, {0: made, 3: read}, *({0: made} for _ in bias), {3: made})

    def mixing(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Mixing | None:
        """All of it, when there is one group."""
        constants = weighted_constants(inputs)
        if constants is None or inputs[0].shape[3] != inputs[1].shape[3]:
            return None
        units, *_, depth = constants[0].shape
        always = always_inside(self._taps_inside(inputs)).reshape(-1)
        return Mixing(constants[0].reshape(units, -1, depth), constants[1], always)

    def _taps_inside(self, inputs: Sequence[Tensor]) -> TapsInside:
        (_, *size, _), (_, *kernel, _) = inputs[0].shape, inputs[1].shape
        return taps_inside((size[0], size[1]), (kernel[0], kernel[1]), self.stride, self.dilation, self.padding)


def _grouped_product(columns: Array, weights: Array) -> Array:
    """(N, OH, OW, KH, KW, C) x (O, KH, KW, C / groups) -> (N, OH, OW, O)."""
    groups = columns.shape[-1] // weights.shape[-1]
    parts = [
        np.tensordot(c, w, axes=([3, 4, 5], [1, 2, 3]))
        for c, w in zip(np.split(columns, groups, axis=-1), np.split(weights, groups, axis=0), strict=True)
    ]
    return np.concatenate(parts, axis=-1)


TFLITE = {"CONV_2D": convolution_reader(Conv2D)}


def from_uint8(op: Conv2D, known: Mapping[str, Tensor]) -> Symmetric:
    """With symmetric weights."""
    x, weights = (known[name] for name in op.inputs[:2])
    parts = centered_parts(x, weights)
    return split_channels(op, x, with_scale(op, weights, window_scale(x, weights, known[op.outputs[0]])), parts)


def to_tflite(op: Conv2D, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite CONV_2D."""
    x, weights, *bias = inputs
    before, x, padding = with_padding(op, x, (weights.shape[1], weights.shape[2]), op.dilation)
    return [*before, *with_activation(op, "CONV_2D", [x, weights, *bias], outputs[0], Padding=padding, **window(op))]


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX Conv over one or two dimensions; one group per input channel is a depthwise convolution."""
    x, weights = node.tensor(0), node.weights(1)
    window = onnx_window(node, x, weights.shape[2:])
    groups, channels = int(node.attributes.get("group", 1)), x.shape[1]
    if groups < 1 or weights.shape[1] * groups != channels:
        raise ValueError(f"an input {x.shape}, weights {weights.shape} and {groups} groups do not go together")
    if len(weights.shape) == 3:
        weights = node.reshape(weights, (*weights.shape[:2], 1, weights.shape[2]), "oihw")
    depthwise = groups == channels and groups > 1
    weights = node.transpose(weights, (1, 2, 3, 0) if depthwise else (0, 2, 3, 1), "weights")
    bias = node.optional(2)
    inputs = [channels_last(node, x), weights, *([] if bias is None else [bias])]
    kind = DepthwiseConv2D if depthwise else Conv2D
    fields: dict[str, Any] = {
        "stride": window.stride,
        "dilation": window.dilation,
        "padding": window.padding,
        "clamp": NO_CLAMP,
    }
    return [channels_first(node, node.add(kind, inputs, "", **fields), len(x.shape))]


ONNX = {"Conv": from_onnx}
