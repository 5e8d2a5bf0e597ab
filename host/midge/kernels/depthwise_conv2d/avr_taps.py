"""DEPTHWISE_CONV_2D int8 for AVR: a channel's sum stays in registers, its weights stream by, and what scales it.

Windows are read where they lie; one that reaches past the edge is copied first, with padding around it. An activation
plus 128 has no sign, so its product with a weight is one instruction, whose sign is carried into the sum's third byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.array_cache import cached_by_arrays
from midge.kernels.byte_blocks import NEEDS, code_bytes, constant_registers
from midge.kernels.byte_products import byte_products, in_bytes
from midge.kernels.byte_scaling import scaling
from midge.kernels.byte_sums import OFFSET, sum_ends
from midge.kernels.geometry import Window, window_of, window_overlap
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.requantize import Requantization, window_requantization
from midge.ops.depthwise_conv2d import DepthwiseConv2D

_SUM_BYTES = 3
# r2 to r18; r19 counts channels.
_MOST_REGISTERS = 17
_MOST_TAPS, _MOST_CHANNELS = 25, 255


@dataclass(frozen=True, eq=False)
class _Taps:
    params: dict[str, object]
    stream: Array


def fits(layer: Layer) -> bool:
    """int8 with constant weights, one image, small windows without dilation, sums of three bytes."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    window = _window(layer)
    is_plain = window.batch == 1 and (window.dilation_h, window.dilation_w) == (1, 1)
    is_small = window.k_h * window.k_w <= _MOST_TAPS and window.out_c <= _MOST_CHANNELS
    return is_plain and is_small and _taps(layer) is not None


def bind(layer: Layer) -> Binding:
    """For each channel where its sum starts, its weights, and the record of its scaling."""
    made, window = _taps(layer), _window(layer)
    assert made is not None
    more = {"multiplicity": window.out_c // window.in_c, "padding": layer.inputs[0].q.zero_point}
    return Binding({**window.params, **made.params, **more}, (Constant("stream", "uint8_t", made.stream),))


def scratch_bytes(layer: Layer) -> int:
    """A window, where some reach past the edge."""
    window = _window(layer)
    return window.k_h * window.k_w * window.in_c if window.is_clipped else 0


def overlap(layer: Layer) -> int:
    """A pixel's outputs are written while its window is still read."""
    return window_overlap(layer, channelwise=False)


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return window_of(layer, (weights[1], weights[2]))


def _taps(layer: Layer) -> _Taps | None:
    op, (x, weights) = cast(DepthwiseConv2D, layer.op), layer.inputs[:2]
    data = constant_data(weights)
    r = window_requantization(layer.inputs, layer.outputs[0], op.clamp)
    bias = bias_values(layer, data.shape[3]).astype(np.int64)
    rows = np.ascontiguousarray(np.moveaxis(data, 3, 0)).reshape(data.shape[3], -1)
    return _packed(rows, bias, x.q.zero_point, r)


@cached_by_arrays(256)
def _packed(rows: Array, bias: Array, in_zero: int, r: Requantization) -> _Taps | None:
    begin, least, most = sum_ends(rows, bias, in_zero)
    found = byte_products(r, least, most)
    if found is None or max(-int((least - found.starts).min()), int((most - found.starts).max())) >= 1 << 23:
        return None
    registers = constant_registers(found, 1, _MOST_REGISTERS)
    if registers is None:
        return None
    starts = begin - OFFSET * rows.astype(np.int64).sum(axis=1) - found.starts
    parts = [in_bytes(starts, _SUM_BYTES), rows.astype(np.int8).view(np.uint8), found.records]
    clobbered = {14, 15, 16, 17, 18, 19, *sum(registers.values(), ())}
    params = {
        "scaling": scaling(found, least, most, _SUM_BYTES, registers),
        "taps": rows.shape[1],
        "clobbered": sorted(clobbered),
    }
    return _Taps(params, np.concatenate(parts, axis=1).reshape(-1))


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, code_bytes=code_bytes
)
