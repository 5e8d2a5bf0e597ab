"""CONV_2D int8 of 3x3 windows and stride 1 by Winograd's F(4x4, 3x3), exactly, on RV32IM (midge.kernels.winograd)."""

from __future__ import annotations

from functools import partial

from midge.kernels.position_quads import NEEDS
from midge.kernels.scalar_winograd import Costs, bind, cycles, fits, growth, scratch_bytes
from midge.kernels.variant import Variant
from midge.kernels.winograd_tiles import overlap

# In instructions, as riscv_quads has them.
_COSTS = Costs(
    tile=110,
    quad=1040,
    patch=240,
    patch_quad=140,
    pixel=15,
    pixel_quad=10,
    outputs=1850,
    odd=300,
    products=850,
    turn=3276,
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
