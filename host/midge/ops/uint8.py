"""How an operator of the older uint8 quantization is said in int8, on values and zero points with 128 less.

`from_uint8` of an operator's module does it, and is there only where TFLite's uint8 kernel computes as that says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from midge.ir.graph import Op
from midge.ir.tensor import Tensor

REMEDY = "convert again with TensorFlow 2, which quantizes to int8"


@dataclass(frozen=True)
class Symmetric:
    """An operator with symmetric int8 weights, the operators that go before it, and all tensors that are new."""

    op: Op
    before: tuple[Op, ...]
    tensors: tuple[Tensor, ...]


# Takes the operator and its shifted tensors by name. Raises UnsupportedOp where there is no such int8 operator.
Uint8Form = Callable[[Any, Mapping[str, Tensor]], Symmetric]


def as_int8(op: Op, known: Mapping[str, Tensor]) -> Symmetric:
    """Nothing changes: the kernels for uint8 and for int8 compute alike."""
    return Symmetric(op, (), ())
