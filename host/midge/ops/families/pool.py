"""Pooling: one value of each window of an image, channel by channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from midge.ir.channels import Range, Ties
from midge.ir.graph import Clamp, Op, OutputQuant, Padding, tie_elementwise
from midge.ir.tensor import QUANTIZED, DType, Shape, Tensor
from midge.numerics.fixed_point import integer_clamp
from midge.numerics.windows import pooled_shape
from midge.ops.formats import SourceOp, tflite_clamp, tflite_padding, tflite_pair
from midge.ops.intervals import clipped
from midge.ops.tflite_writing import pool_padding, strides, with_activation
from midge.ops.types import check_same_quant


@dataclass(frozen=True, kw_only=True)
class Pool(Op):
    """inputs: x (N, H, W, C). Input and output have one quantization."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding
    clamp: Clamp

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """It does."""
        return True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(N, out_h, out_w, C)."""
        return (pooled_shape(inputs[0].shape, self.kernel, self.stride, self.padding),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with equal scales."""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """What stands for some values lies between them."""
        y = outputs[0]
        if y.dtype is DType.F32:
            return super().intervals(inputs, outputs, ranges)
        return (clipped(ranges[0], *integer_clamp(self.clamp, y.q, y.dtype)),)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel."""
        return tie_elementwise(inputs, outputs)


def pool_reader(kind: type[Pool]) -> Callable[[SourceOp], Pool]:
    """Reads TensorFlow Lite's operator with the options of a Pool2D."""

    def read(op: SourceOp) -> Pool:
        kernel, stride = tflite_pair(op, "FilterHeight", "FilterWidth"), tflite_pair(op, "StrideH", "StrideW")
        return kind(
            name=op.name,
            inputs=op.input_names(1, 1),
            outputs=op.output_names,
            kernel=kernel,
            stride=stride,
            padding=tflite_padding(op, op.tensor(0, rank=4), kernel, stride, (1, 1)),
            clamp=tflite_clamp(op),
        )

    return read


def written_pool(op: Pool, code: str, inputs: Sequence[Tensor], output: Tensor) -> list[SourceOp]:
    """TensorFlow Lite's operator of that code."""
    padding = pool_padding(op, inputs[0])
    size = {"FilterHeight": op.kernel[0], "FilterWidth": op.kernel[1], "Padding": padding, **strides(op)}
    return with_activation(op, code, inputs, output, **size)
