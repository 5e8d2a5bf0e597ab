"""REDUCE_MIN: the smallest value over some axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.channels import Range
from midge.ir.graph import QUANTIZED, Array, OutputQuant, Tensor
from midge.ops.families.reduction import Reduction, reduction_reader, reduction_writer
from midge.ops.types import check_same_quant


@dataclass(frozen=True, kw_only=True)
class ReduceMin(Reduction):
    """inputs: x. See Reduction for the axes."""

    family: ClassVar[str] = "reduce"

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float, or int8 or int16 with equal scales: the raw values are compared."""
        return check_same_quant(inputs, outputs, QUANTIZED)

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """The input's."""
        return "same"

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The smallest."""
        return [np.asarray(values[0].min(axis=self.axes, keepdims=self.keep_dims), values[0].dtype)]

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """The smallest of values that lie between two ends lies there too."""
        low, high = ranges[0]
        if self.keeps_channels(inputs[0]):
            return ((low, high),)
        channels = outputs[0].shape[-1] if outputs[0].shape else 1
        return ((np.full(channels, low.min()), np.full(channels, high.max())),)


TFLITE = {"REDUCE_MIN": reduction_reader(ReduceMin)}
to_tflite = reduction_writer("REDUCE_MIN")
