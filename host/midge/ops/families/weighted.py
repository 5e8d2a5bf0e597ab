"""Weighted sums with a bias, requantized and clamped: matrix products, and convolutions, which sum over windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Clamp, Op, Padding
from midge.ir.tensor import Array, DType, Tensor
from midge.numerics.dynamic import dynamic_outputs
from midge.numerics.requantize import Requantization, window_requantization
from midge.numerics.windows import windows
from midge.ops.formats import SourceOp, tflite_clamp, tflite_padding, tflite_pair
from midge.ops.intervals import clamp_range, requantized_range
from midge.ops.types import check_weighted, dynamic_is_asymmetric, is_dynamic, reason_why_not


@dataclass(frozen=True, kw_only=True)
class Weighted(Op):
    """inputs: x, weights, bias when there is one."""

    clamp: Clamp

    weight_axis: ClassVar[Mapping[int, int]] = {1: 0}
    bias_input: ClassVar[int | None] = 2

    def requantization(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Requantization:
        """How integer sums become outputs. Raises ValueError for scales that cannot be."""
        return window_requantization(inputs, outputs[0], self.clamp)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8, or int16 activations; symmetric int8 weights.

        Float activations with int8 weights are quantized at run time.
        """
        reason = check_weighted(inputs, outputs, per_channel_axis=self.weight_axis[1])
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: self.requantization(inputs, outputs))

    def scaled(self, sums: Array, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Array:
        """The outputs of sums that have the bias in them."""
        if outputs[0].dtype is DType.F32:
            return np.clip(sums.astype(np.float32), *self.clamp).astype(np.float32)
        return self.requantization(inputs, outputs).apply(sums).astype(outputs[0].dtype.numpy)

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The ends of the sums, requantized."""
        sums = self.accumulators(inputs, outputs, ranges)
        if sums is None:
            return (clamp_range(outputs[0], self.clamp),)
        return (requantized_range(sums, self.requantization(inputs, outputs)),)


@dataclass(frozen=True, kw_only=True)
class Convolution(Weighted):
    """inputs: x (N, H, W, C), weights of rank 4 whose window is (KH, KW), bias when there is one."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding

    def sums(self, taps: Array, weights: Array, fill: int) -> Array:
        """(N, OH, OW, KH, KW, C) windows less `fill`, weighted: (N, OH, OW, filters)."""
        raise NotImplementedError

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Sums over windows; beside float activations with int8 weights each image has a range of its own."""
        x, weights, *bias = values
        if is_dynamic(inputs):
            made = dynamic_outputs(
                x.reshape(len(x), -1),
                lambda offsets: self.sums(self._windows(offsets.reshape(x.shape), weights, 0), weights, 0),
                inputs[1].q.scales,
                bias[0] if bias else None,
                asymmetric=dynamic_is_asymmetric(inputs[1]),
                clamp=self.clamp,
            )
            return [made]
        fill = 0 if outputs[0].dtype is DType.F32 else inputs[0].q.zero_point
        sums = self.sums(self._windows(x, weights, fill), weights, fill)
        sums += bias[0] if bias else 0
        return [self.scaled(sums, inputs, outputs)]

    def _windows(self, x: Array, weights: Array, fill: int) -> Array:
        kernel = (weights.shape[1], weights.shape[2])
        return windows(x, kernel, self.stride, self.dilation, self.padding, fill)


def convolution_reader(kind: type[Convolution]) -> Callable[[SourceOp], Convolution]:
    """Reads TensorFlow Lite's operator with the options of a convolution."""

    def read(op: SourceOp) -> Convolution:
        x, weights = op.tensor(0, rank=4), op.tensor(1, rank=4)
        stride = tflite_pair(op, "StrideH", "StrideW")
        dilation = tflite_pair(op, "DilationHFactor", "DilationWFactor")
        return kind(
            name=op.name,
            inputs=op.input_names(2, 3),
            outputs=op.output_names,
            stride=stride,
            dilation=dilation,
            padding=tflite_padding(op, x, (weights.shape[1], weights.shape[2]), stride, dilation),
            clamp=tflite_clamp(op),
        )

    return read
