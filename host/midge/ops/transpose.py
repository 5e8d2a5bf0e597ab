"""TRANSPOSE: the same values with the axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import Array, Op, OutputQuant, Permutation, Shape, Tensor
from midge.ops.types import check_same_quant


@dataclass(frozen=True, kw_only=True)
class Transpose(Op):
    """inputs: x. `permutation`: axis i of the output is axis permutation[i] of x."""

    permutation: Permutation

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """x's dimensions in the new order."""
        shape = inputs[0].shape
        if sorted(self.permutation) != list(range(len(shape))):
            raise ValueError(f"permutation {self.permutation} of an input {shape}")
        return (tuple(shape[axis] for axis in self.permutation),)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 with equal scales."""
        return check_same_quant(inputs, outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """A copy in the new order."""
        return [np.ascontiguousarray(np.transpose(values[0], self.permutation))]
