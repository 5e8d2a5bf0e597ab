"""REDUCE_PROD: the product over some axes; float32, for no integer form is worth its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from midge.ir.graph import Array, Tensor
from midge.ops.families.reduction import Reduction, reduction_reader, reduction_writer
from midge.ops.types import check_float


@dataclass(frozen=True, kw_only=True)
class ReduceProd(Reduction):
    """inputs: x. See Reduction for the axes."""

    family: ClassVar[str] = "reduce"

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Float."""
        return check_float(inputs, outputs)

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """In float64, rounded once."""
        with np.errstate(all="ignore"):
            product = values[0].prod(axis=self.axes, keepdims=self.keep_dims, dtype=np.float64)
            return [np.asarray(product, np.float32)]


TFLITE = {"REDUCE_PROD": reduction_reader(ReduceProd)}
to_tflite = reduction_writer("REDUCE_PROD")
