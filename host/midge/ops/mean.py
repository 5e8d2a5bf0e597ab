"""MEAN: the average over some axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import Array, DType, Op, Permutation, Shape, Tensor, tie_elementwise, whole_range
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.intervals import rescaled_range
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.types import check_same_type, reason_why_not

# Values that an int32 holds the sum of, each up to 255 from the zero point.
_MAX_COUNT = (1 << 31) // 256


@dataclass(frozen=True, kw_only=True)
class Mean(Op):
    """inputs: x. `axes`: sorted, none negative, none twice. `keep_dims`: reduced axes stay, with size 1."""

    axes: tuple[int, ...]
    keep_dims: bool

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's shape without `axes`, or with 1 there."""
        shape = inputs[0].shape
        if self.axes != tuple(sorted(set(self.axes))) or any(not 0 <= a < len(shape) for a in self.axes):
            raise ValueError(f"axes {self.axes} of an input {shape}")
        if self.keep_dims:
            return (tuple(1 if i in self.axes else n for i, n in enumerate(shape)),)
        return (tuple(n for i, n in enumerate(shape) if i not in self.axes),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float or int8."""
        reason = check_same_type(inputs, outputs)
        if reason or outputs[0].dtype is DType.F32:
            return reason
        return reason_why_not(lambda: mean_parameters(self, inputs, outputs))

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """Floats: the sum in float64 over the count. Integers: the sum of offset values, rescaled once."""
        is_float = outputs[0].dtype is DType.F32
        sums = values[0].sum(axis=self.axes, keepdims=self.keep_dims, dtype=np.float64 if is_float else np.int64)
        if is_float:
            return [np.asarray(sums / _count(self, inputs[0]), np.float32)]
        p = mean_parameters(self, inputs, outputs)
        scaled = multiply_by_quantized_multiplier(sums - p.count * p.input_zero_point, p.multiplier, p.shift)
        return [np.asarray(np.clip(scaled + p.output_zero_point, -128, 127), np.int8)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The sum lies between `count` times the ends; over channels, those of all channels."""
        if outputs[0].dtype is DType.F32:
            return super().intervals(inputs, outputs, ranges)
        (low, high), p = ranges[0], mean_parameters(self, inputs, outputs)
        if not self._keeps_channels(inputs[0]):
            channels = len(whole_range(outputs[0])[0])
            low, high = np.full(channels, low.min()), np.full(channels, high.max())
        sums = (low - p.input_zero_point) * p.count, (high - p.input_zero_point) * p.count
        return (rescaled_range(sums, p.multiplier, p.shift, p.output_zero_point, *outputs[0].dtype.limits),)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channel by channel, unless the average goes over channels."""
        return tie_elementwise(inputs, outputs) if self._keeps_channels(inputs[0]) else super().ties(inputs, outputs)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """Over the renamed axes; those that are left keep their order among themselves."""
        axes = tuple(sorted(permutation[a] for a in self.axes))
        left = [a for a in permutation if a not in axes]
        order = permutation if self.keep_dims else tuple(sorted(left).index(a) for a in left)
        return replace(self, axes=axes), order

    def _keeps_channels(self, x: Tensor) -> bool:
        return bool(x.shape) and len(x.shape) - 1 not in self.axes


@dataclass(frozen=True)
class MeanParameters:
    """out = saturate(output_zero_point + rescale(sum of `count` values - count * input_zero_point)).

    `multiplier` and `shift` hold the ratio of the scales divided by `count`.
    """

    count: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int


def mean_parameters(op: Mean, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> MeanParameters:
    """The integers of an int8 MEAN. Raises ValueError when sums could leave int32 or the factor is beyond 2^30.

    The division by the count goes into the multiplier, with as many bits more as the count has.
    Source: QuantizedMeanOrSum in tensorflow/lite/kernels/internal/reference/reduce.h.
    """
    x, y = inputs[0].q, outputs[0].q
    count = _count(op, inputs[0])
    if count > _MAX_COUNT:
        raise ValueError(f"the average of {count} values needs more than 32 bits")
    multiplier, shift = quantize_multiplier(x.scale / y.scale)
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return MeanParameters(count, x.zero_point, y.zero_point, (multiplier << bits) // count, shift - bits)


def _count(op: Mean, x: Tensor) -> int:
    return prod(x.shape[axis] for axis in op.axes)


def from_tflite(op: SourceOp) -> Mean:
    """Reads a TFLite MEAN; the axes must be constant."""
    x = op.tensor(0)
    rank = len(x.shape)
    axes = [int(a) for a in op.constant(1).reshape(-1)]
    if any(not -rank <= a < rank for a in axes):
        raise UnsupportedOp(f"axes {axes} of an input with {rank} dimensions", "the file is damaged: export it again")
    return Mean(
        name=op.name,
        inputs=(x.name,),
        outputs=op.output_names,
        axes=tuple(sorted({a % rank for a in axes})),
        keep_dims=bool(op.attributes.get("KeepDims", False)),
    )


TFLITE = {"MEAN": from_tflite}


def from_onnx_global(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX GlobalAveragePool: the mean over all but the first two axes."""
    x = node.tensor(0)
    return [node.add(Mean, [x], "", axes=tuple(range(2, len(x.shape))), keep_dims=True)]


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads an ONNX ReduceMean; no axes are all axes, unless the file says that none means none."""
    x = node.tensor(0)
    axes = node.axes(1, len(x.shape))
    if not axes:
        if node.attributes.get("noop_with_empty_axes", 0):
            return [x]
        axes = tuple(range(len(x.shape)))
    return [node.add(Mean, [x], "", axes=axes, keep_dims=bool(node.attributes.get("keepdims", 1)))]


ONNX = {"GlobalAveragePool": from_onnx_global, "ReduceMean": from_onnx}
