"""SOFTMAX of int8 for every core and shape, each e^x computed instead of read from a table: flash for cycles."""

from __future__ import annotations

from typing import cast

from midge.ir.tensor import DType
from midge.kernels.softmax import portable
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.softmax import Softmax, softmax_parameters

# What it takes of code beyond the portable variant's.
_CODE_BYTES = 320


def fits(layer: Layer) -> bool:
    """Int8, or int8 to int16."""
    return portable.fits(layer) and layer.inputs[0].dtype is DType.S8


def bind(layer: Layer) -> Binding:
    """As the portable variant, with the factor that brings differences to Q5 for the table that they would index."""
    p = softmax_parameters(cast(Softmax, layer.op).beta, layer.inputs)
    params = {**portable.bind(layer).params, "computed": True, "multiplier": p.multiplier, "left": 1 << p.left_shift}
    return Binding(params)


def code_bytes(_: Layer) -> int:
    """Code beyond the portable variant's."""
    return _CODE_BYTES


VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    # Where words are put together of bytes the code takes more than the table.
    needs=frozenset({"32-bit"}),
    code_bytes=code_bytes,
    overlap=portable.VARIANT.overlap,
    packed=True,
    slow=True,
)
