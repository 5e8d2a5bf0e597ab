"""FULLY_CONNECTED int8 on cores with 16-bit SIMD: four rows at a time, two where there is a batch."""

from __future__ import annotations

from midge.kernels.dsp_cycles import dense_cycles
from midge.kernels.dsp_pointwise import NEEDS, Pixels, bind_pixels
from midge.kernels.dsp_pointwise import scratch_bytes as pixel_scratch
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.paired_channels import Sums, can_pair, folded_sums
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 with constant weights, sums below 2^23, and a factor below 1/2."""
    return is_int8(layer) and has_constant_weights(layer) and can_pair(sums_of(layer), requantization_of(layer))


def bind(layer: Layer) -> Binding:
    """The batch as pixels."""
    return bind_pixels(pixels_of(layer), sums_of(layer), requantization_of(layer))


def scratch_bytes(layer: Layer) -> int:
    """The widened inputs."""
    return pixel_scratch(pixels_of(layer), layer.inputs[1].shape[1])


def pixels_of(layer: Layer) -> Pixels:
    """The rows of the batch."""
    depth = layer.inputs[1].shape[1]
    return Pixels(1, layer.inputs[0].elements // depth, depth, 0)


def sums_of(layer: Layer) -> Sums:
    """The input's zero point folded into the bias."""
    x, weights = layer.inputs[:2]
    return folded_sums(constant_data(weights), bias_values(layer, weights.shape[0]), x.q.zero_point)


def cycles(layer: Layer) -> int:
    """Estimated."""
    return dense_cycles(pixels_of(layer), *layer.inputs[1].shape)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, cycles=cycles)
