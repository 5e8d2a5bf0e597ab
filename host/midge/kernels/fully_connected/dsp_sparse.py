"""FULLY_CONNECTED int8 with weights zero in vectors of four channels, on cores with 16-bit SIMD."""

from __future__ import annotations

from functools import partial

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.dsp_cycles import sparse_rows_cycles
from midge.kernels.dsp_pointwise import NEEDS, widened_order
from midge.kernels.fully_connected.dsp import fits as fits_dense
from midge.kernels.fully_connected.dsp import pixels_of, sums_of
from midge.kernels.literals import requantization_of
from midge.kernels.paired_channels import GROUP
from midge.kernels.sparse_channels import has_zeros
from midge.kernels.sparse_row import MOST_POSITIONS, RowPlan, row_plan, row_stream
from midge.kernels.variant import Binding, Constant, Layer, Variant


def sparse_rows(module: str, lanes: int) -> Variant:
    """The variant for vectors of `lanes` channels, 4 or 2."""
    return Variant(
        module,
        fits=partial(_fits, lanes),
        bind=partial(_bind, lanes),
        needs=NEEDS,
        scratch_bytes=_scratch_bytes,
        code_bytes=partial(_code_bytes, lanes),
        cycles=partial(_cycles, lanes),
    )


def _fits(lanes: int, layer: Layer) -> bool:
    """As dsp, with zeros, and rows that the counts of pairs have room for."""
    return fits_dense(layer) and has_zeros(layer, lanes) and layer.inputs[1].shape[1] <= MOST_POSITIONS


def _bind(lanes: int, layer: Layer) -> Binding:
    """The stream with its index behind, and the sizes."""
    sums = sums_of(layer)
    channels, depth = sums.weights.shape
    packed = row_stream(_plan(lanes, layer), sums, requantization_of(layer), _order(layer))
    rest = channels % GROUP
    sizes = [
        *(pixels_of(layer).pixels, depth, channels - rest, rest),
        *(packed.whole_words, packed.all_words, packed.whole_index),
    ]
    tables = (Constant("stream", "int32_t", packed.words), Constant("sizes", "int32_t", np.array(sizes, np.int32)))
    return Binding(packed.params, tables)


def _scratch_bytes(layer: Layer) -> int:
    """A widened row, in whole words."""
    return 2 * len(_order(layer))


def _order(layer: Layer) -> Array:
    depth = layer.inputs[1].shape[1]
    return widened_order(depth, -(-depth // 2))


def _plan(lanes: int, layer: Layer) -> RowPlan:
    return row_plan(sums_of(layer), _order(layer), lanes)


def _code_bytes(lanes: int, layer: Layer) -> int:
    """Unrolled loops."""
    return _plan(lanes, layer).code_bytes


def _cycles(lanes: int, layer: Layer) -> int:
    """Estimated."""
    channels, depth = layer.inputs[1].shape
    return sparse_rows_cycles(pixels_of(layer).pixels, channels, depth, _plan(lanes, layer))


VARIANT = sparse_rows(__name__, GROUP)
