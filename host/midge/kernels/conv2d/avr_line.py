"""CONV_2D int8 for AVR with its weights as code: zeros cost nothing, ones no multiplication, equal ones share theirs.

The input is read where it is, plus 128 so that it is 0..255; the sign of a weight says whether its product is added or
subtracted, and the sums' starting values come last. Each channel is scaled by the narrowest products that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from midge.ir.graph import Array
from midge.kernels.byte_blocks import NEEDS, OFFSET
from midge.kernels.byte_products import ByteProducts, byte_products
from midge.kernels.byte_scaling import scaling
from midge.kernels.geometry import Window, pixels_joined, window_of, window_overlap
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.requantize import Requantization, requantization
from midge.ops.conv2d import Conv2D

_SUM_BYTES = 3
_MOST_IN_GROUP = 4
# A weight takes ten bytes of code, scaling a sum about a hundred and twenty.
_WEIGHT_BYTES, _CHANNEL_BYTES = 10, 120
_MOST_CODE_BYTES = 6144


@dataclass(frozen=True, eq=False)
class _Channel:
    """A channel's sums start at `start` and lie within least..most; `found` makes them outputs."""

    found: ByteProducts
    start: int
    least: Array
    most: Array


def fits(layer: Layer) -> bool:
    """int8 with constant weights, few enough, one image, windows that do not reach past the edge."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    window, (x, weights) = _window(layer), layer.inputs[:2]
    if window.batch > 1 or window.is_clipped or x.shape[3] != weights.shape[3]:
        return False
    return code_bytes(layer) <= _MOST_CODE_BYTES and _channels(layer) is not None


def code_bytes(layer: Layer) -> int:
    """What weights and scaling take, about."""
    weights = constant_data(layer.inputs[1])
    return _WEIGHT_BYTES * int(np.count_nonzero(weights)) + _CHANNEL_BYTES * len(weights)


def bind(layer: Layer) -> Binding:
    """Groups of channels: what is done with each activation of a window, and how sums become outputs."""
    window, channels = _window(layer), _channels(layer)
    assert channels is not None
    rows = constant_data(layer.inputs[1]).astype(np.int64)
    offsets = _offsets(window)
    groups = []
    for at in range(0, len(rows), _MOST_IN_GROUP):
        some = slice(at, at + _MOST_IN_GROUP)
        taps = _taps(rows[some].reshape(-1, len(offsets)), offsets)
        made = [_channel(c, w) for c, w in zip(channels[some], rows[some], strict=True)]
        groups.append({"taps": taps, "channels": made})
    sizes = {"sum_bytes": _SUM_BYTES, "depth": len(offsets), "offsets": offsets, "pixels": 1, "groups": groups}
    return Binding({**window.params, **sizes})


def overlap(layer: Layer) -> int:
    """An output pixel is written while its window is still read."""
    return window_overlap(layer, channelwise=False)


def _taps(rows: Array, offsets: tuple[int, ...]) -> list[tuple[int, list[tuple[int, list[tuple[int, bool]]]]]]:
    """[(offset, [(magnitude, [(channel, whether it is subtracted)])])]: what each activation meets, without zeros."""
    taps = []
    for offset, column in zip(offsets, rows.T, strict=True):
        magnitudes = sorted({abs(int(w)) for w in column if w})
        uses = [(m, [(n, int(w) < 0) for n, w in enumerate(column) if abs(int(w)) == m]) for m in magnitudes]
        if uses:
            taps.append((offset, uses))
    return taps


def _offsets(window: Window) -> tuple[int, ...]:
    """Where a window's activations lie from its first on."""
    rows = np.arange(window.k_h)[:, None, None] * window.dilation_h * window.in_w
    columns = np.arange(window.k_w)[None, :, None] * window.dilation_w
    places = (rows + columns) * window.in_c + np.arange(window.in_c)
    return tuple(int(v) for v in places.reshape(-1))


def _channel(channel: _Channel, weights: Array) -> dict[str, object]:
    """`less` is what the assembly takes from a sum: its start, the sign turned."""
    return {
        "begin": channel.start,
        "less": [-channel.start >> 8 * b & 255 for b in range(_SUM_BYTES)],
        "weights": [int(w) for w in weights.reshape(-1)],
        "scaling": scaling(channel.found, channel.least, channel.most, _SUM_BYTES, None),
    }


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return pixels_joined(window_of(layer, (weights[1], weights[2])))


def _channels(layer: Layer) -> tuple[_Channel, ...] | None:
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    data = constant_data(weights)
    r = requantization(x, weights, layer.outputs[0], op.clamp)
    bias = bias_values(layer, len(data)).astype(np.int64)
    key = (data.tobytes(), len(data), bias.tobytes(), x.q.zero_point)
    return _scaled(*key, r.multipliers.tobytes(), r.shifts.tobytes(), r.zero_point, r.low, r.high)


@lru_cache(maxsize=256)
def _scaled(
    weights: bytes,
    channels: int,
    biases: bytes,
    in_zero: int,
    multipliers: bytes,
    shifts: bytes,
    zero_point: int,
    low: int,
    high: int,
) -> tuple[_Channel, ...] | None:
    rows = np.frombuffer(weights, np.int8).reshape(channels, -1).astype(np.int64)
    factors = [np.broadcast_to(np.frombuffer(v, np.int32), channels) for v in (multipliers, shifts)]
    bias = np.frombuffer(biases, np.int64) - in_zero * rows.sum(axis=1)
    ends = np.stack([rows * -128, rows * 127])
    least, most = bias + ends.min(axis=0).sum(axis=1), bias + ends.max(axis=0).sum(axis=1)
    made = []
    for c in range(channels):
        part = slice(c, c + 1)
        r = Requantization(factors[0][part], factors[1][part], zero_point, low, high)
        found = byte_products(r, least[part], most[part])
        if found is None or max(abs(int(least[c] - found.starts[0])), abs(int(most[c] - found.starts[0]))) >= 1 << 23:
            return None
        start = int(bias[c] - OFFSET * rows[c].sum() - found.starts[0])
        made.append(_Channel(found, start, least[part], most[part]))
    return tuple(made)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, overlap=overlap, code_bytes=code_bytes)
