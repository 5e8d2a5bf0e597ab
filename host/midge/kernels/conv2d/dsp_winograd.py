"""CONV_2D int8 of 3x3 windows and stride 1 by Winograd's F(4x4, 3x3), exactly, on cores with 16-bit SIMD.

midge.kernels.winograd says why it is exact, midge.kernels.winograd_tiles how it goes. It takes a quarter of the
products of dsp_window, and eight times its flash.
"""

from __future__ import annotations

from midge.kernels.conv2d.dsp_window import sums_of
from midge.kernels.dsp_pointwise import NEEDS
from midge.kernels.geometry import window_of
from midge.kernels.literals import constant_data, requantization_of
from midge.kernels.paired_channels import GROUP
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.kernels.winograd import POSITIONS, can_lift, padded_channels, tiles, turns, winograd_stream
from midge.kernels.winograd_tiles import (
    CAUTION,
    SCRATCH_LIMIT,
    can_tile,
    copied_tiles,
    growth_of,
    overlap,
    tile_bytes,
    tile_params,
)


def fits(layer: Layer) -> bool:
    """What tiles can do, factors below 1/2, 16 KB of scratch."""
    if not can_tile(layer):
        return False
    r = requantization_of(layer)
    rounded = bool(((r.shifts <= -1) | (r.multipliers == 0)).all())
    return rounded and scratch_bytes(layer) <= SCRATCH_LIMIT and can_lift(sums_of(layer))


def bind(layer: Layer) -> Binding:
    """Literal sizes, and the stream."""
    r = requantization_of(layer)
    packed = winograd_stream(constant_data(layer.inputs[1]), sums_of(layer), r)
    unroll, words = _turns(layer)
    params: dict[str, object] = {
        **tile_params(layer, words),
        "unroll": unroll,
        "group_words": packed.words_per_group,
        "record": packed.record,
        "shift": packed.shift,
        "low": r.low,
        "high": r.high,
    }
    return Binding(params, (Constant("stream", "int32_t", packed.words),))


def scratch_bytes(layer: Layer) -> int:
    """What tiles take."""
    return tile_bytes(layer, _turns(layer)[1])


def growth(layer: Layer) -> int:
    """That of the tiles' weights."""
    return growth_of(layer, _turns(layer)[1])


def cycles(layer: Layer) -> int:
    """Estimated: the loops of the template, counted, and what goes around them, fitted to 18 layers of 3 to 64 channels
    and 4 to 1024 positions, which it meets to 8 %; an eighth is added, for less is not worth eight times the flash."""
    w = window_of(layer, (3, 3))
    unroll, words = turns(w.in_c)
    count, groups, quads = w.batch * tiles(w)[0] * tiles(w)[1], -(-w.out_c // GROUP), padded_channels(w.in_c) // 4
    inputs = 834 * quads + 90 + (copied_tiles(w) / count) * _patch_cycles(w.in_c)
    turn = 17 + 2 * (unroll > 12) if unroll == words else 29 + 6 * (words // unroll)
    products = POSITIONS * (16 * words + turn) + 30
    outputs = 4 * 290 + 30 + (75 if w.out_c % 4 == 0 else 400)
    return round(CAUTION * (count * (inputs + groups * outputs) + -(-count // 2) * groups * products))


def _turns(layer: Layer) -> tuple[int, int]:
    return turns(layer.inputs[0].shape[3])


def _patch_cycles(channels: int) -> int:
    quads = padded_channels(channels) // 4
    return 6 * (60 + 16 * quads) if channels % 4 == 0 else 36 * (20 + 12 * (channels % 4) + 5 * quads)


VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=scratch_bytes,
    overlap=overlap,
    growth=growth,
    cycles=cycles,
)
