"""FULLY_CONNECTED int8 on cores with 16-bit SIMD: four rows at a time, two where there is a batch."""

from __future__ import annotations

from typing import cast

from midge.kernels.dsp_pointwise import NEEDS, Pixels, bind_pixels
from midge.kernels.dsp_pointwise import scratch_bytes as pixel_scratch
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.paired_channels import Sums, can_pair, folded_sums
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.requantize import Requantization
from midge.ops.fully_connected import FullyConnected, fully_connected_requantization


def fits(layer: Layer) -> bool:
    """int8 with constant weights, sums below 2^23, and a factor below 1/2."""
    return is_int8(layer) and has_constant_weights(layer) and can_pair(_sums(layer), _requantization(layer))


def bind(layer: Layer) -> Binding:
    """The batch as pixels."""
    return bind_pixels(_pixels(layer), _sums(layer), _requantization(layer))


def scratch_bytes(layer: Layer) -> int:
    """The widened inputs."""
    return pixel_scratch(_pixels(layer), layer.inputs[1].shape[1])


def _pixels(layer: Layer) -> Pixels:
    depth = layer.inputs[1].shape[1]
    return Pixels(1, layer.inputs[0].elements // depth, depth, 0)


def _sums(layer: Layer) -> Sums:
    x, weights = layer.inputs[:2]
    return folded_sums(constant_data(weights), bias_values(layer, weights.shape[0]), x.q.zero_point)


def _requantization(layer: Layer) -> Requantization:
    return fully_connected_requantization(cast(FullyConnected, layer.op), layer.inputs, layer.outputs)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes)
