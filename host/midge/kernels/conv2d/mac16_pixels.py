"""CONV_2D int8 of 1x1 windows for Xtensa's MAC16: each pixel is widened once (firmware/nn/midge_mac16.h)."""

from __future__ import annotations

from midge.kernels.geometry import group_overlap, joined_window
from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.mac16_dense import MOST_POSITIONS, NEEDS, Scaling, bind_matrix, run_bytes, scaling_of
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 with constant weights, no groups, pixels that begin at words, no padding, an exact rule for the sums."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    x, weights = layer.inputs[:2]
    window = joined_window(layer)
    if x.shape[3] != weights.shape[3] or window.batch > 1 or window.is_clipped or (window.k_h, window.k_w) != (1, 1):
        return False
    return window.in_c % 4 == 0 and window.in_c <= MOST_POSITIONS and scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel its bias and what scales its sums."""
    scaled = scaling(layer)
    assert scaled is not None, "no rule is exact"
    params, constants = bind_matrix(weight_rows(layer), scaled)
    return Binding({**joined_window(layer).params, **params}, constants)


def scratch_bytes(layer: Layer) -> int:
    """A pixel."""
    return run_bytes(layer.inputs[0].shape[3])


def overlap(layer: Layer) -> int:
    """A pixel is read before its output is written."""
    return group_overlap(joined_window(layer), 1)


def scaling(layer: Layer) -> Scaling | None:
    """How the layer's sums become outputs; None where no rule is exact."""
    rows = weight_rows(layer)
    return scaling_of(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, requantization_of(layer))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap)
