"""The older uint8 quantization, said in int8: every value and zero point with 128 less, the same real values.

What that makes of an operator stands in its own module (`from_uint8`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from midge.ir.tensor import DType, Tensor
from midge.ops.formats import UnsupportedOp
from midge.ops.registry import uint8_forms
from midge.ops.uint8 import REMEDY

OFFSET = 128


def refusal(code: str) -> UnsupportedOp:
    """The problem of an operator that TFLite computes otherwise on uint8 than on int8."""
    return UnsupportedOp(
        f"uint8 values, the older quantization: which TensorFlow Lite's {code} computes otherwise than int8", REMEDY
    )


def shifted(tensor: Tensor, name: str) -> Tensor:
    """The uint8 `tensor` as int8 with the same real values, under another name."""
    quant = tensor.q
    zeros = tuple(z - OFFSET for z in quant.zero_points)
    data = None if tensor.data is None else (tensor.data.astype(np.int16) - OFFSET).astype(np.int8)
    return Tensor(name, tensor.shape, DType.S8, replace(quant, zero_points=zeros), data)


def computed_with(
    operators: Iterable[tuple[str, Sequence[int]]], is_uint8: Callable[[int], bool], is_float: Callable[[int], bool]
) -> list[int]:
    """The indices of the uint8 tensors that operators, each a code and its operands, compute with.

    QUANTIZE between integers does with either form, so what it alone names, such as a network's uint8 input or output,
    stays as it is.
    """
    found = set()
    for code, operands in operators:
        if code in uint8_forms() or (code == "QUANTIZE" and any(is_float(i) for i in operands)):
            found |= {i for i in operands if is_uint8(i)}
    return sorted(found)
