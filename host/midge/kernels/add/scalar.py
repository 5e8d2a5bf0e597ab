"""ADD of two int8 tensors of one shape for cores without SIMD, as one linear function where that is exact: see
midge.kernels.add.dsp."""

from __future__ import annotations

from midge.kernels.add.dsp import bind, fits
from midge.kernels.literals import in_place
from midge.kernels.pixel_pairs import NEEDS
from midge.kernels.variant import Variant

VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=in_place, needs=NEEDS)
