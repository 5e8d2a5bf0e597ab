"""FULLY_CONNECTED int8 with weights zero in vectors of four channels, on cores with 16-bit SIMD."""

from __future__ import annotations

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.dsp_pointwise import NEEDS, widened_order
from midge.kernels.fully_connected.dsp import fits as fits_dense
from midge.kernels.fully_connected.dsp import pixels_of, requantization_of, sums_of
from midge.kernels.paired_channels import GROUP
from midge.kernels.sparse_channels import has_zeros
from midge.kernels.sparse_row import MOST_POSITIONS, STRANGERS_TURN, index_words, row_plan, row_stream
from midge.kernels.variant import Binding, Constant, Layer, Variant


def fits(layer: Layer) -> bool:
    """As dsp, with zeros, and rows that the counts of pairs have room for."""
    return fits_dense(layer) and has_zeros(layer) and layer.inputs[1].shape[1] <= MOST_POSITIONS


def bind(layer: Layer) -> Binding:
    """The stream with its index behind, and the sizes."""
    sums, order = sums_of(layer), _order(layer)
    channels, depth = sums.weights.shape
    found = row_plan(sums, order)
    packed = row_stream(found, sums, requantization_of(layer), order)
    whole = channels // GROUP
    before_last = sum(len(group.index) for group in found.groups[:whole]) // 4
    sizes = [
        *(pixels_of(layer).pixels, depth, GROUP * whole, channels % GROUP),
        *(sum(packed.sizes[:whole]), len(packed.words), len(packed.words) + before_last),
    ]
    return Binding(
        {"turn": found.turn, "strangers_turn": STRANGERS_TURN, **packed.params},
        (
            Constant("stream", "int32_t", np.concatenate([packed.words, index_words(found.index)])),
            Constant("sizes", "int32_t", np.array(sizes, np.int32)),
        ),
    )


def scratch_bytes(layer: Layer) -> int:
    """A widened row, in whole words."""
    return 2 * len(_order(layer))


def _order(layer: Layer) -> Array:
    depth = layer.inputs[1].shape[1]
    return widened_order(depth, -(-depth // 2))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes)
