"""Depthwise convolutions whose input is packed, a channel at a time, into a plane of words for two pixels each.

The output is done in bands. A band's upper and lower half are two pixels at each position: for one channel at a time
its input, padded with the zero point, is packed into a plane of words, over which the window walks. Rows of the input
are read again for the next channel, so the output may run a band behind the input.
"""

from __future__ import annotations

from dataclasses import dataclass

from midge.ir.tensor import Array
from midge.kernels.geometry import Window, window_of
from midge.kernels.literals import constant_data, has_constant_weights, is_int8
from midge.kernels.pixel_pairs import can_add_pairs
from midge.kernels.variant import Layer

_MOST_BYTES = 6144
_MOST_TAPS = 32
# For fewer the plane is more work than it saves.
_FEWEST_PIXELS = 4


@dataclass(frozen=True)
class Planes:
    """The planes of a layer with that window."""

    window: Window

    @property
    def columns(self) -> int:
        """Words in a row of the plane."""
        w = self.window
        return (w.out_w - 1) * w.stride_w + (w.k_w - 1) * w.dilation_w + 1

    @property
    def half(self) -> int:
        """Rows in half a band: as many as planes of a few kilobytes allow."""
        most = -(-self.window.out_h // 2)
        return max(half for half in range(1, most + 1) if half == 1 or self.bytes(half) <= _MOST_BYTES)

    def bytes(self, half: int) -> int:
        """The size of a plane for bands of twice `half` rows."""
        w = self.window
        return 4 * self.columns * ((half - 1) * w.stride_h + (w.k_h - 1) * w.dilation_h + 1)

    @property
    def params(self) -> dict[str, object]:
        """What the templates read."""
        w = self.window
        return {**w.params, "half": self.half, "plane_w": self.columns, "multiplicity": w.out_c // w.in_c}


def planes_of(layer: Layer) -> Planes:
    """The planes of a depthwise convolution."""
    weights = layer.inputs[1].shape
    return Planes(window_of(layer, (weights[1], weights[2])))


def taps_by_channel(layer: Layer) -> Array:
    """Weights (channels, taps)."""
    weights = constant_data(layer.inputs[1])
    return weights.reshape(-1, weights.shape[3]).T.astype("int64")


def fits_planes(layer: Layer) -> bool:
    """int8 with constant weights, one image, windows of few taps, planes of a few kilobytes, some pixels."""
    if not (is_int8(layer) and has_constant_weights(layer)) or layer.inputs[0].shape[0] != 1:
        return False
    return can_walk(layer, taps_by_channel(layer))


def can_walk(layer: Layer, rows: Array) -> bool:
    """Whether windows with these weights (channels, taps) are small enough, and planes worth their work."""
    planes = planes_of(layer)
    if rows.shape[1] > _MOST_TAPS or planes.window.out_h * planes.window.out_w < _FEWEST_PIXELS:
        return False
    return can_add_pairs(rows) and planes.bytes(1) <= _MOST_BYTES


def plane_bytes(layer: Layer) -> int:
    """The scratch memory that a plane is."""
    planes = planes_of(layer)
    return planes.bytes(planes.half)


def band_overlap(layer: Layer) -> int:
    """A band's output must not reach the first row that the band reads."""
    planes = planes_of(layer)
    w, step = planes.window, 2 * planes.half
    distances = []
    for first in range(0, w.out_h, step):
        unread = max(0, first * w.stride_h - w.top)
        distances.append(min(first + step, w.out_h) * w.out_w * w.out_c - unread * w.in_w * w.in_c)
    return max(distances)
