"""CONV_2D int8 of 3x3 windows and stride 1 by Winograd's F(4x4, 3x3), exactly, on Armv6-M (midge.kernels.winograd)."""

from __future__ import annotations

from functools import partial

from midge.kernels.scalar_winograd import Costs, bind, cycles, fits, growth, scratch_bytes
from midge.kernels.thumb_code import NEEDS
from midge.kernels.variant import Variant
from midge.kernels.winograd_tiles import overlap

_COSTS = Costs(
    tile=150,
    quad=2150,
    patch=400,
    patch_quad=250,
    pixel=20,
    pixel_quad=20,
    outputs=5650,
    odd=400,
    products=2600,
    turn=5760,
)

VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=scratch_bytes,
    overlap=overlap,
    growth=growth,
    cycles=partial(cycles, costs=_COSTS),
)
