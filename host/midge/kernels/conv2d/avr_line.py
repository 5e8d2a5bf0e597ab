"""CONV_2D int8 for AVR with its weights as code: zeros cost nothing, ones no multiplication, equal ones share theirs.

The input is read where it is; a window that reaches past the edge is copied first, as wide as the input. Activations
are taken plus 128, or as they are (midge.kernels.line_taps); the sign of a weight says whether its product is added or
subtracted, and the sums' starting values come last. Each channel is scaled by the narrowest products that it needs, or
by a table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.array_cache import cached_by_arrays
from midge.kernels.byte_blocks import NEEDS
from midge.kernels.byte_products import ByteProducts, byte_products
from midge.kernels.byte_scaling import Steps, scaling, steps_table
from midge.kernels.byte_sums import OFFSET, sum_ends
from midge.kernels.geometry import Window, pixels_joined, window_of, window_overlap
from midge.kernels.line_taps import MOST_IN_GROUP, line_group
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8
from midge.kernels.variant import Binding, Layer, Variant
from midge.numerics.requantize import Requantization, requantization
from midge.ops.conv2d import Conv2D

_SUM_BYTES = 3
# A weight takes ten bytes of code, scaling a sum about a hundred and twenty.
_WEIGHT_BYTES, _CHANNEL_BYTES = 10, 120
_MOST_CODE_BYTES = 6144
# From so many pixels on a table for scaling is worth its half a kilobyte for a channel.
_WORTH_TABLE = 64
_MOST_TABLE_BYTES = 4096


@dataclass(frozen=True, eq=False)
class _Channel:
    """A channel's sums start at `start` and lie within least..most; `found` makes them outputs."""

    found: ByteProducts
    start: int
    least: Array
    most: Array


def fits(layer: Layer) -> bool:
    """int8 with constant weights, few enough, one image; without dilation where windows reach past the edge."""
    if not (is_int8(layer) and has_constant_weights(layer)):
        return False
    window, (x, weights) = _window(layer), layer.inputs[:2]
    is_dilated = (window.dilation_h, window.dilation_w) != (1, 1)
    if window.batch > 1 or (window.is_clipped and is_dilated) or x.shape[3] != weights.shape[3]:
        return False
    return _weights_bytes(layer) <= _MOST_CODE_BYTES and _channels(layer) is not None


def code_bytes(layer: Layer, tables: bool = True) -> int:
    """What weights and scaling take, about."""
    channels = _channels(layer)
    steps = _steps(layer, channels) if tables and channels is not None else []
    return _weights_bytes(layer) + sum(len(table.pairs) for table in steps if table)


def bind(layer: Layer, tables: bool = True) -> Binding:
    """Groups of channels: what is done with each activation of a window, and how sums become outputs: with `tables` by
    these where they are worth it."""
    window, channels = _window(layer), _channels(layer)
    assert channels is not None
    offsets, zero_point = _offsets(window), layer.inputs[0].q.zero_point
    rows = constant_data(layer.inputs[1]).astype(np.int64).reshape(len(channels), -1)
    steps = _steps(layer, channels) if tables else [None] * len(channels)
    groups = []
    for at in range(0, len(rows), MOST_IN_GROUP):
        some = slice(at, at + MOST_IN_GROUP)
        group = line_group(rows[some], offsets, zero_point)
        made = [
            _channel(channels[at + n], row, group.raw, least, steps[at + n], f"%[steps_{n}]")
            for n, (row, least) in enumerate(zip(rows[some], group.least, strict=True))
        ]
        groups.append({**group.params, "channels": made})
    frame = {"frame": _frame_bytes(window), "padding": zero_point}
    sizes = {"depth": len(offsets), "offsets": offsets, "groups": groups, **frame}
    return Binding({**window.params, **sizes})


def scratch_bytes(layer: Layer) -> int:
    """A window, where some reach past the edge."""
    window = _window(layer)
    return _frame_bytes(window) if window.is_clipped else 0


def _weights_bytes(layer: Layer) -> int:
    weights = constant_data(layer.inputs[1])
    return _WEIGHT_BYTES * int(np.count_nonzero(weights)) + _CHANNEL_BYTES * len(weights)


def _frame_bytes(window: Window) -> int:
    """From a window's first activation to its last, with the input's rows."""
    return (window.k_h - 1) * window.in_w * window.in_c + window.k_w * window.in_c


def overlap(layer: Layer) -> int:
    """An output pixel is written while its window is still read."""
    return window_overlap(layer, channelwise=False)


def _steps(layer: Layer, channels: tuple[_Channel, ...]) -> list[Steps | None]:
    """For each channel the table by which its sums become outputs, where there is one and it is worth its bytes."""
    pixels = layer.outputs[0].elements // len(channels)
    found: list[Steps | None] = []
    for channel in channels:
        able = pixels >= _WORTH_TABLE and int(channel.found.lasts[0]) >= 1 << 16
        found.append(steps_table(channel.found, int(channel.most[0])) if able else None)
    return found if sum(len(steps.pairs) for steps in found if steps) <= _MOST_TABLE_BYTES else [None] * len(found)


def _offsets(window: Window) -> tuple[int, ...]:
    """Where a window's activations lie from its first on."""
    rows = np.arange(window.k_h)[:, None, None] * window.dilation_h * window.in_w
    columns = np.arange(window.k_w)[None, :, None] * window.dilation_w
    places = (rows + columns) * window.in_c + np.arange(window.in_c)
    return tuple(int(v) for v in places.reshape(-1))


def _channel(
    channel: _Channel, weights: Array, raw: bool, least: int, steps: Steps | None, name: str
) -> dict[str, object]:
    """`less` is what the assembly takes from its sums: where they start, the sign turned; of two bytes where u has no
    more. `name` is how the assembly calls the table."""
    total = int(weights.sum())
    begin = channel.start + (OFFSET * total if raw else 0)
    ends = int(channel.least[0] - channel.found.starts[0]), int(channel.most[0] - channel.found.starts[0])
    is_narrow = np.abs(weights).sum() * 255 <= 65535 and ends[0] >= -(1 << 15) and ends[1] < 1 << 15
    sum_bytes, less = (2, -begin) if is_narrow else (_SUM_BYTES, -begin - least)
    scaled = scaling(channel.found, channel.least, channel.most, sum_bytes, None)
    if steps:
        scaled |= {"steps": name, "clip_high": scaled["clip_high"] and not steps.is_whole}
    return {
        "begin": channel.start,
        "less": [less >> 8 * b & 255 for b in range(sum_bytes)],
        "weights": [int(w) for w in weights],
        "scaling": scaled,
        "steps": steps.pairs if steps else (),
    }


def _window(layer: Layer) -> Window:
    weights = layer.inputs[1].shape
    return pixels_joined(window_of(layer, (weights[1], weights[2])))


def _channels(layer: Layer) -> tuple[_Channel, ...] | None:
    op, (x, weights) = cast(Conv2D, layer.op), layer.inputs[:2]
    data = constant_data(weights)
    r = requantization(x, weights, layer.outputs[0], op.clamp)
    bias = bias_values(layer, len(data)).astype(np.int64)
    return _scaled(data.reshape(len(data), -1), bias, x.q.zero_point, r)


@cached_by_arrays(256)
def _scaled(rows: Array, bias: Array, in_zero: int, r: Requantization) -> tuple[_Channel, ...] | None:
    multipliers, shifts = (np.broadcast_to(values, len(rows)) for values in (r.multipliers, r.shifts))
    begin, least, most = sum_ends(rows, bias, in_zero)
    made = []
    for c in range(len(rows)):
        part = slice(c, c + 1)
        found = byte_products(replace(r, multipliers=multipliers[part], shifts=shifts[part]), least[part], most[part])
        if found is None or max(abs(int(least[c] - found.starts[0])), abs(int(most[c] - found.starts[0]))) >= 1 << 23:
            return None
        start = int(begin[c] - OFFSET * rows[c].sum(dtype=np.int64) - found.starts[0])
        made.append(_Channel(found, start, least[part], most[part]))
    return tuple(made)


VARIANT = Variant(
    __name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, overlap=overlap, code_bytes=code_bytes
)
