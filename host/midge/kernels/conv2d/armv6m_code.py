"""CONV_2D int8 with a 1x1 window for Armv6-M with its weights as code (midge.kernels.thumb_code)."""

from __future__ import annotations

from midge.kernels.conv2d.portable import overlap
from midge.kernels.matrix_code import AsCode
from midge.kernels.pixel_pairs import dense_pixel
from midge.kernels.thumb_code import NEEDS, thumb_code
from midge.kernels.variant import Variant
from midge.kernels.weights_as_code import pixel_matrix_of


def _dense(units: int, width: int) -> tuple[int, int]:
    """What scalar_pairs takes."""
    return dense_pixel(units, width), units * width


_CODE = AsCode(pixel_matrix_of, thumb_code, _dense)
VARIANT = Variant(
    __name__,
    fits=_CODE.fits,
    bind=_CODE.bind,
    needs=NEEDS,
    overlap=overlap,
    code_bytes=_CODE.code_bytes,
    cycles=_CODE.cycles,
)
