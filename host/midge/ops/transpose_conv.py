"""TRANSPOSE_CONV: each input pixel spreads its weighted window over the output, windows `stride` apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Clamp, Op, Padding
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.numerics.requantize import window_requantization
from midge.ops.formats import SourceOp, UnsupportedOp, same_padding, tflite_clamp, tflite_padding, tflite_pair
from midge.ops.tflite_writing import integers, strides, with_activation
from midge.ops.types import check_weighted, reason_why_not


@dataclass(frozen=True, kw_only=True)
class TransposeConv(Op):
    """inputs: x (N, H, W, C), weights (O, KH, KW, C), bias (O) when there is one. `size`: the output's.

    Rows and columns of `padding` are cut off the spread windows' sum; where `size` reaches beyond it there is bias.
    """

    stride: tuple[int, int]
    padding: Padding
    size: tuple[int, int]
    clamp: Clamp

    weight_axis: ClassVar[Mapping[int, int]] = {1: 0}
    bias_input: ClassVar[int | None] = 2

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """(N, *size, O)."""
        x, weights = inputs[0].shape, inputs[1].shape
        if len(x) != 4 or len(weights) != 4 or x[3] != weights[3] or min(*self.stride, *self.size) < 1:
            raise ValueError(f"input {x}, weights {weights} and stride {self.stride} do not go together")
        if len(inputs) > 2 and inputs[2].shape != (weights[0],):
            raise ValueError(f"bias {inputs[2].shape} for {weights[0]} channels")
        return ((x[0], *self.size, weights[0]),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8, or int16 activations; symmetric int8 weights."""
        reason = check_weighted(inputs, outputs, per_channel_axis=0)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: window_requantization(inputs, outputs[0], self.clamp))

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Input elements times window times output channels."""
        out, kh, kw, _ = inputs[1].shape
        return inputs[0].elements * kh * kw * out

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Sums in float64 for floats, in wrapping int32 for integers."""
        x, weights, *bias = values
        is_float = outputs[0].dtype is DType.F32
        wide = np.float64 if is_float else np.int64
        offset = x.astype(wide) - (0 if is_float else inputs[0].q.zero_point)
        sums = self._spread(offset, weights.astype(wide)) + (bias[0].astype(wide) if bias else 0)
        if is_float:
            return [np.clip(sums.astype(np.float32), *self.clamp).astype(np.float32)]
        scaled = window_requantization(inputs, outputs[0], self.clamp).apply(sums)
        return [scaled.astype(outputs[0].dtype.numpy)]

    def _spread(self, x: Array, weights: Array) -> Array:
        (n, h, w, _), (out, kh, kw, _), (sy, sx) = x.shape, weights.shape, self.stride
        (top, _), (left, _) = self.padding
        height, width = max((h - 1) * sy + kh, top + self.size[0]), max((w - 1) * sx + kw, left + self.size[1])
        sums = np.zeros((n, height, width, out), x.dtype)
        for i in range(kh):
            for j in range(kw):
                sums[:, i : i + (h - 1) * sy + 1 : sy, j : j + (w - 1) * sx + 1 : sx] += x @ weights[:, i, j].T
        return sums[:, top : top + self.size[0], left : left + self.size[1]]


def from_tflite(op: SourceOp) -> TransposeConv:
    """Reads a TFLite TRANSPOSE_CONV; the size, computed or not, is the declared one of the output."""
    weights, x, y = op.tensor(1, rank=4), op.tensor(2, rank=4), op.output()
    stride = tflite_pair(op, "StrideH", "StrideW")
    bias = [t for t in op.inputs[3:4] if t is not None]
    # What computes the size at run time (SHAPE, STRIDED_SLICE, PACK) is nothing's input any more, and goes.
    given = y.shape if op.tensor(0).data is None else op.constant(0).reshape(-1)
    height, width = (int(n) for n in given[1:3])
    padding = tflite_padding(op, _with_size(y, height, width), (weights.shape[1], weights.shape[2]), stride, (1, 1))
    return TransposeConv(
        name=op.name,
        inputs=(x.name, weights.name, *(b.name for b in bias)),
        outputs=op.output_names,
        stride=stride,
        padding=padding,
        size=(height, width),
        clamp=tflite_clamp(op),
    )


def _with_size(y: Tensor, height: int, width: int) -> Tensor:
    return Tensor(y.name, (1, height, width, 1), y.dtype)


TFLITE = {"TRANSPOSE_CONV": from_tflite}


def to_tflite(op: TransposeConv, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite TRANSPOSE_CONV."""
    x, weights, *bias = inputs
    y = outputs[0]
    if op.padding == ((0, 0), (0, 0)):
        padding = 1
    elif op.padding == same_padding(y, (weights.shape[1], weights.shape[2]), op.stride, (1, 1)):
        padding = 0
    else:
        raise UnsupportedOp(f"TRANSPOSE_CONV with the padding {op.padding}", "use SAME or VALID")
    given = [integers(op, "size", y.shape), weights, x, *bias]
    return with_activation(op, "TRANSPOSE_CONV", given, y, Padding=padding, **strides(op))
