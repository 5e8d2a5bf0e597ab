"""DEPTHWISE_CONV_2D int8 for cores without SIMD: each multiplication serves two pixels (firmware/nn/midge_scalar.h),
which lie in planes, see midge.kernels.planes."""

from __future__ import annotations

import numpy as np

from midge.kernels.literals import bias_values, requantization_of
from midge.kernels.pixel_pairs import NEEDS, scaling_of
from midge.kernels.planes import band_overlap, fits_planes, plane_bytes, planes_of, taps_by_channel
from midge.kernels.variant import Binding, Constant, Layer, Variant


def bind(layer: Layer) -> Binding:
    """Weights by channel; for each channel its bias and what scales its sums."""
    rows, zero_point = taps_by_channel(layer), layer.inputs[0].q.zero_point
    scaled = scaling_of(rows, bias_values(layer, len(rows)), zero_point, requantization_of(layer))
    params = {**planes_of(layer).params, **scaled.params, "in_zero": zero_point}
    constants = (Constant("weights", "int8_t", rows.astype(np.int8)), Constant("scales", "int32_t", scaled.words))
    return Binding(params, constants)


VARIANT = Variant(__name__, fits=fits_planes, bind=bind, needs=NEEDS, scratch_bytes=plane_bytes, overlap=band_overlap)
