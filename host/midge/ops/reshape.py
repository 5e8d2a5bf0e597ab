"""RESHAPE, SQUEEZE and EXPAND_DIMS: the same values in the same order under another shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range, Ties
from midge.ir.graph import Op, OutputQuant
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.formats import SourceOp
from midge.ops.intervals import common_classes, regrouped
from midge.ops.tflite_writing import integers, written
from midge.ops.types import check_moved
from midge.ops.uint8 import as_int8


@dataclass(frozen=True, kw_only=True)
class Reshape(Op):
    """inputs: x. `shape`: the output's, with as many elements."""

    shape: Shape

    is_view: ClassVar[bool] = True
    only_moves: ClassVar[bool] = True

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """`shape`."""
        if prod(self.shape) != prod(inputs[0].shape):
            raise ValueError(f"{inputs[0].shape} does not have the elements of {self.shape}")
        return (self.shape,)

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Any type that midge moves; int8 with equal scales."""
        return check_moved(inputs, outputs)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The same bytes."""
        return [values[0].reshape(self.shape)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """A channel of the output holds what those hold that it has elements of."""
        return (regrouped(ranges[0], self.shape[-1] if self.shape else 1),)

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Channels that hold the same elements."""
        x, y = inputs[0].shape, outputs[0].shape
        if not x or not y:
            return super().ties(inputs, outputs)
        classes = common_classes(x[-1], y[-1])
        return {len(x) - 1: np.arange(x[-1]) % classes}, {len(y) - 1: np.arange(y[-1]) % classes}


def from_tflite(op: SourceOp) -> Reshape:
    """Reads a TFLite RESHAPE, SQUEEZE or EXPAND_DIMS.

    The new shape is the declared one of the output: shapes are static, and it must hold as many elements as the input.
    """
    return Reshape(name=op.name, inputs=(op.tensor(0).name,), outputs=op.output_names, shape=op.output().shape)


TFLITE = dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS"), from_tflite)
from_uint8 = as_int8


def to_tflite(op: Reshape, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[SourceOp]:
    """Writes a TFLite RESHAPE."""
    return written(op, "RESHAPE", [*inputs, integers(op, "shape", op.shape)], outputs, NewShape=op.shape)
