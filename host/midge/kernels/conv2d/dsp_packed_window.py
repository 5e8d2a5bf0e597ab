"""CONV_2D int8 of any window with weights of few bits, on cores with 16-bit SIMD: packed, and unpacked in registers.

Binary weights take two bits, as ternary ones: the sum of all activations that they need is another for each window.
"""

from __future__ import annotations

from dataclasses import replace

from midge.kernels.conv2d.dsp_window import (
    Columns,
    bind_columns,
    columns_of,
    has_columns,
    overlap,
    requantization_of,
    sums_of,
)
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.narrow import Narrow, narrow_weights
from midge.kernels.narrow_channels import PAIRS, can_interleave, narrow_stream
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp_window, with narrow weights."""
    if not has_columns(layer, shared=2):
        return False
    return can_interleave(_narrow(layer), sums_of(layer), requantization_of(layer))


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream."""
    found, columns = _narrow(layer), _columns(layer)
    assert found is not None
    return bind_columns(layer, columns, narrow_stream(found, sums_of(layer), requantization_of(layer), columns.order))


def scratch_bytes(layer: Layer) -> int:
    """The columns."""
    return _columns(layer).bytes


def _narrow(layer: Layer) -> Narrow | None:
    found = narrow_weights(layer)
    return replace(found, width="ternary") if found is not None and found.width == "binary" else found


def _columns(layer: Layer) -> Columns:
    found = _narrow(layer)
    assert found is not None
    return columns_of(layer, PAIRS[found.width])


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, packed=True
)
