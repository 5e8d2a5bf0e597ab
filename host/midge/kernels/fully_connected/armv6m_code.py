"""FULLY_CONNECTED int8 of one row for Armv6-M with its weights as code: zeros cost nothing, powers of two no
multiplication, weights that a channel has often one (midge.kernels.thumb_code)."""

from __future__ import annotations

from midge.kernels.matrix_code import AsCode
from midge.kernels.pixel_pairs import row_cycles
from midge.kernels.thumb_code import NEEDS, thumb_code
from midge.kernels.variant import Variant
from midge.kernels.weights_as_code import matrix_of


def _dense(units: int, width: int) -> tuple[int, int]:
    return row_cycles(units, width), 2 * units * width


_CODE = AsCode(matrix_of, thumb_code, _dense)
VARIANT = Variant(
    __name__, fits=_CODE.fits, bind=_CODE.bind, needs=NEEDS, code_bytes=_CODE.code_bytes, cycles=_CODE.cycles
)
