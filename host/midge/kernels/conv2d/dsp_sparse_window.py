"""CONV_2D int8 of any window with weights zero in vectors of four channels, on cores with 16-bit SIMD.

The columns are those of dsp_window; a window is one run of them, a row for midge.kernels.sparse_row.
"""

from __future__ import annotations

from midge.kernels.conv2d.dsp_pointwise import is_pointwise
from midge.kernels.conv2d.dsp_window import (
    columns_of,
    overlap,
    scratch_bytes,
    sizes_of,
    sums_of,
)
from midge.kernels.conv2d.dsp_window import fits as fits_dense
from midge.kernels.dsp_cycles import sparse_window_cycles
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.literals import requantization_of
from midge.kernels.sparse_channels import has_zeros
from midge.kernels.sparse_row import row_plan, row_stream
from midge.kernels.variant import Binding, Constant, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp_window, with zeros; but 1x1 windows are dsp_sparse_pointwise's."""
    return fits_dense(layer) and not is_pointwise(layer) and has_zeros(layer)


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream with its index."""
    columns, sums = columns_of(layer), sums_of(layer)
    packed = row_stream(row_plan(sums, columns.order), sums, requantization_of(layer), columns.order)
    words: dict[str, object] = {
        "whole_words": packed.whole_words,
        "all_words": packed.all_words,
        "whole_index": packed.whole_index,
        "width": "int8",
    }
    return Binding(
        {**sizes_of(layer, columns), **packed.params, **words}, (Constant("stream", "int32_t", packed.words),)
    )


def code_bytes(layer: Layer) -> int:
    """Unrolled loops."""
    return row_plan(sums_of(layer), columns_of(layer).order).code_bytes


def cycles(layer: Layer) -> int:
    """Estimated."""
    return sparse_window_cycles(columns_of(layer).window, row_plan(sums_of(layer), columns_of(layer).order))


VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=scratch_bytes,
    overlap=overlap,
    code_bytes=code_bytes,
    cycles=cycles,
)
