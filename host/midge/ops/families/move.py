"""Operators that put the elements of one tensor elsewhere: each states its index map, once, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import Op, OutputQuant
from midge.ir.tensor import Array, DType, Shape, Tensor
from midge.ops.types import check_moved

# What `positions` holds where an output element is no input element, but what stands for 0.
FILL = -1


@dataclass(frozen=True, kw_only=True)
class Move(Op):
    """inputs: x. Every output element is an element of x, or what stands for 0."""

    family: ClassVar[str] = "move"
    only_moves: ClassVar[bool] = True

    def moved(self, x: Array, fill: int) -> Sequence[Array]:
        """The outputs for any array `x` of the input's shape; `fill` is what stands for 0."""
        raise NotImplementedError

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """The shapes that moving gives; operators whose output may be larger than the input compute them instead."""
        nothing = np.broadcast_to(np.int8(0), inputs[0].shape)
        return tuple(y.shape for y in self.moved(nothing, 0))

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, int8 with equal scales, or any type that is not quantized."""
        return check_moved(inputs, outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy."""
        return [np.array(y, order="C") for y in self.moved(values[0], fill_value(outputs[0]))]

    def positions(self, inputs: Sequence[Tensor]) -> list[Array]:
        """For each output, which flat index of x its elements are, or FILL; int64 of the outputs' shapes."""
        flat = np.arange(inputs[0].elements, dtype=np.int64).reshape(inputs[0].shape)
        return [np.asarray(y, np.int64) for y in self.moved(flat, FILL)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """A channel holds what those channels hold that its elements come from."""
        return tuple(
            _range(found, ranges[0], fill_value(y)) for found, y in zip(self.positions(inputs), outputs, strict=True)
        )


def fill_value(output: Tensor) -> int:
    """What stands for 0: the zero point of a quantized tensor."""
    return output.q.zero_point if output.dtype is DType.S8 else 0


def _range(positions: Array, x: Range, fill: int) -> Range:
    rows = positions.reshape(-1, positions.shape[-1] if positions.shape else 1)
    channels = rows % len(x[0])
    low, high = (np.where(rows == FILL, fill, end[channels]) for end in x)
    return low.min(axis=0), high.max(axis=0)
