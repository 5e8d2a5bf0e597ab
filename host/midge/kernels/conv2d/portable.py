"""CONV_2D for every core and shape, float32, int8 and 16x8: plain loops with literal bounds."""

from __future__ import annotations

from midge.kernels.geometry import window_overlap
from midge.kernels.literals import has_constant_weights
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weighted import bind_windows, image_bytes
from midge.ops.types import is_dynamic


def bind(layer: Layer) -> Binding:
    """As bind_windows: weights OHWI, by groups of channels."""
    x, weights = layer.inputs[:2]
    group_in = weights.shape[3]
    groups = {"group_in": group_in, "group_out": weights.shape[0] // (x.shape[3] // group_in)}
    return bind_windows(layer, groups, filter_axis=0)


def overlap(layer: Layer) -> int | None:
    """All channels of a window are read for each output channel."""
    return None if is_dynamic(layer.inputs) else window_overlap(layer, channelwise=False)


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, scratch_bytes=image_bytes, overlap=overlap)
