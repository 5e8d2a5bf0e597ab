"""FULLY_CONNECTED int8 with weights zero in vectors of four channels, on cores with 16-bit SIMD."""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.dsp_cycles import sparse_rows_cycles
from midge.kernels.dsp_pointwise import NEEDS, widened_order
from midge.kernels.fully_connected.dsp import fits as fits_dense
from midge.kernels.fully_connected.dsp import pixels_of, sums_of
from midge.kernels.literals import requantization_of
from midge.kernels.paired_channels import GROUP
from midge.kernels.sparse_channels import has_zeros
from midge.kernels.sparse_row import MOST_POSITIONS, row_plan, row_stream
from midge.kernels.variant import Binding, Constant, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp, with zeros, and rows that the counts of pairs have room for."""
    return fits_dense(layer) and has_zeros(layer) and layer.inputs[1].shape[1] <= MOST_POSITIONS


def bind(layer: Layer) -> Binding:
    """The stream with its index behind, and the sizes."""
    sums, order = sums_of(layer), _order(layer)
    channels, depth = sums.weights.shape
    packed = row_stream(row_plan(sums, order), sums, requantization_of(layer), order)
    rest = channels % GROUP
    sizes = [
        *(pixels_of(layer).pixels, depth, channels - rest, rest),
        *(packed.whole_words, packed.all_words, packed.whole_index),
    ]
    tables = (Constant("stream", "int32_t", packed.words), Constant("sizes", "int32_t", np.array(sizes, np.int32)))
    return Binding(packed.params, tables)


def scratch_bytes(layer: Layer) -> int:
    """A widened row, in whole words."""
    return 2 * len(_order(layer))


def _order(layer: Layer) -> Array:
    depth = layer.inputs[1].shape[1]
    return widened_order(depth, -(-depth // 2))


def code_bytes(layer: Layer) -> int:
    """Unrolled loops."""
    return row_plan(sums_of(layer), _order(layer)).code_bytes


def cycles(layer: Layer) -> int:
    """Estimated."""
    channels, depth = layer.inputs[1].shape
    return sparse_rows_cycles(pixels_of(layer).pixels, channels, depth, row_plan(sums_of(layer), _order(layer)))


VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=scratch_bytes,
    code_bytes=code_bytes,
    cycles=cycles,
)
