"""CONV_2D int8 of any window with weights of few bits, on cores with 16-bit SIMD: packed, and unpacked in registers.

Binary weights take two bits, as ternary ones: the sum of all activations that they need is another for each window.
"""

from __future__ import annotations

from midge.kernels.conv2d.dsp_window import (
    Columns,
    bind_columns,
    columns_of,
    has_columns,
    overlap,
    sums_of,
)
from midge.kernels.dsp_packing import PAIRS, dsp_packing, packed_stream, table_bytes
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.literals import requantization_of
from midge.kernels.narrow import Narrow
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp_window, with narrow weights."""
    if not has_columns(layer, shared=2):
        return False
    return _packing(layer) is not None


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream."""
    found = _packing(layer)
    assert found is not None
    columns = _columns(layer, found)
    return bind_columns(layer, columns, packed_stream(found, sums_of(layer), requantization_of(layer), columns.order))


def scratch_bytes(layer: Layer) -> int:
    """The columns, and what indices stand for."""
    found = _packing(layer)
    assert found is not None
    return table_bytes(found) + _columns(layer, found).bytes


def _packing(layer: Layer) -> Narrow | None:
    sums, factor = sums_of(layer), requantization_of(layer)
    return dsp_packing(layer, sums, factor, lambda found: _columns(layer, found).order, binary=False)


def _columns(layer: Layer, found: Narrow) -> Columns:
    return columns_of(layer, PAIRS[found.width])


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, packed=True
)
