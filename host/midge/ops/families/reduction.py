"""Operators that make one value of many, over some axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Op, OutputQuant, Permutation
from midge.ir.tensor import QUANTIZED, Array, Shape, Tensor
from midge.ops.formats import SourceOp, axis_of
from midge.ops.tflite_writing import TFLiteWriter, integers, written
from midge.ops.types import check_same_quant


@dataclass(frozen=True, kw_only=True)
class Reduction(Op):
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

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation]:
        """Over the renamed axes; those that are left keep their order among themselves."""
        axes = tuple(sorted(permutation[a] for a in self.axes))
        left = [a for a in permutation if a not in axes]
        order = permutation if self.keep_dims else tuple(sorted(left).index(a) for a in left)
        return replace(self, axes=axes), order

    def count(self, x: Tensor) -> int:
        """How many values of `x` make one."""
        return prod(x.shape[axis] for axis in self.axes)

    def keeps_channels(self, x: Tensor) -> bool:
        """Whether no value is made of several channels."""
        return bool(x.shape) and len(x.shape) - 1 not in self.axes


def reduction_reader(kind: type[Reduction]) -> Callable[[SourceOp], Reduction]:
    """Reads an operator with constant axes as its second input."""

    def read(op: SourceOp) -> Reduction:
        x = op.tensor(0)
        return kind(
            name=op.name,
            inputs=(x.name,),
            outputs=op.output_names,
            axes=tuple(sorted({axis_of(x, a) for a in op.constant(1).reshape(-1)})),
            keep_dims=bool(op.attributes.get("KeepDims", False)),
        )

    return read


def reduction_writer(code: str) -> TFLiteWriter:
    """Writes an operator with constant axes as its second input."""
    return lambda op, inputs, outputs: written(
        op, code, [*inputs, integers(op, "axes", op.axes)], outputs, KeepDims=op.keep_dims
    )


@dataclass(frozen=True, kw_only=True)
class Extreme(Reduction):
    """inputs: x. See Reduction for the axes. `chosen` is numpy's name of the extreme, of values and of bounds."""

    family: ClassVar[str] = "reduce"
    chosen: ClassVar[str]

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with equal scales: the raw values are compared."""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The extreme of the raw values."""
        find = getattr(np, self.chosen)
        return [np.asarray(find(values[0], axis=self.axes, keepdims=self.keep_dims), values[0].dtype)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The extreme of values that lie between two ends lies there too."""
        low, high = ranges[0]
        if self.keeps_channels(inputs[0]):
            return ((low, high),)
        channels = outputs[0].shape[-1] if outputs[0].shape else 1
        return ((np.full(channels, low.min()), np.full(channels, high.max())),)
