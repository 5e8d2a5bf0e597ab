"""CONV_2D int8 of 3x3 windows and stride 1 by Winograd's F(4x4, 3x3), exactly, on Armv7-M (midge.kernels.winograd)."""

from __future__ import annotations

from functools import partial

from midge.kernels.scalar_winograd import Costs, bind, cycles, fits, growth, scratch_bytes
from midge.kernels.variant import Variant
from midge.kernels.winograd_tiles import CAUTION, overlap

# The estimate of scalar_pairs is that of a Cortex-M0+.
_COSTS = Costs(
    tile=120,
    quad=1100,
    patch=300,
    patch_quad=200,
    pixel=15,
    pixel_quad=8,
    outputs=2700,
    odd=400,
    products=1600,
    turn=3960,
    margin=CAUTION * 7 / 6,
)

VARIANT = Variant(
    __name__,
    fits=fits,
    bind=bind,
    needs=frozenset({"scalar", "unaligned"}),
    scratch_bytes=scratch_bytes,
    overlap=overlap,
    growth=growth,
    cycles=partial(cycles, costs=_COSTS),
)
