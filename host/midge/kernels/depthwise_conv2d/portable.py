"""DEPTHWISE_CONV_2D for every core and shape, float32, int8 and 16x8: plain loops with literal bounds."""

from __future__ import annotations

from midge.kernels.geometry import window_overlap
from midge.kernels.literals import has_constant_weights
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weighted import bind_windows, image_bytes
from midge.ops.types import is_dynamic


def bind(layer: Layer) -> Binding:
    """As bind_windows: weights 1HWC."""
    x, weights = layer.inputs[:2]
    return bind_windows(layer, {"multiplicity": weights.shape[3] // x.shape[3]}, filter_axis=3)


def overlap(layer: Layer) -> int | None:
    """Each channel of a window is read for its own output channels alone."""
    if is_dynamic(layer.inputs):
        return None
    return window_overlap(layer, channelwise=layer.inputs[0].shape[3] == layer.outputs[0].shape[3])


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, scratch_bytes=image_bytes, overlap=overlap)
