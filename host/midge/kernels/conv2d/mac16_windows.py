"""CONV_2D int8 of any window for Xtensa's MAC16: each window is widened to one run (firmware/nn/midge_mac16.h).

Pixels of whole words are widened from where they lie; others are brought together as bytes first. Padding is the zero
point, so that it is folded into the bias everywhere.
"""

from __future__ import annotations

from midge.kernels.conv2d.mac16_pixels import scaling
from midge.kernels.geometry import group_overlap, joined_window
from midge.kernels.literals import has_constant_weights, is_int8, weight_rows
from midge.kernels.mac16_dense import MOST_POSITIONS, NEEDS, bind_matrix, run_bytes
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 with constant weights, no groups, one image unless pixels are independent, an exact rule for the sums."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    x, weights = layer.inputs[:2]
    if x.shape[3] != weights.shape[3] or joined_window(layer).batch > 1:
        return False
    return weight_rows(layer).shape[1] <= MOST_POSITIONS and scaling(layer) is not None


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel its bias and what scales its sums."""
    scaled = scaling(layer)
    assert scaled is not None, "no rule is exact"
    rows = weight_rows(layer)
    params, constants = bind_matrix(rows, scaled)
    more = {"in_zero": layer.inputs[0].q.zero_point, "run_bytes": run_bytes(rows.shape[1])}
    return Binding({**joined_window(layer).params, **params, **more}, constants)


def scratch_bytes(layer: Layer) -> int:
    """A window, and besides a pixel of padding or the window's bytes."""
    window, positions = joined_window(layer), weight_rows(layer).shape[1]
    if window.in_c % 4:
        return run_bytes(positions) + -(-positions // 4) * 4
    return run_bytes(positions) + (window.in_c if window.is_clipped else 0)


def overlap(layer: Layer) -> int:
    """A pixel's window is read before its output is written."""
    return group_overlap(joined_window(layer), 1)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap)
