"""The integers that weights may take: 8 bits, fewer, or three or two values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from midge.settings import Width

# Smallest and largest weight. int8 and int4 leave out their most negative value, so that no product of two operands is
# the one that does not fit; two bits are too few to leave one out.
LIMITS: Mapping[Width, tuple[int, int]] = {
    "int8": (-127, 127),
    "int4": (-7, 7),
    "int2": (-2, 1),
    "ternary": (-1, 1),
    "binary": (-1, 1),
}
# Bits that a weight takes in flash; five ternary weights share a byte.
BITS: Mapping[Width, float] = {"int8": 8, "int4": 4, "int2": 2, "ternary": 1.6, "binary": 1}


def nearest(real: NDArray[np.float64], width: Width) -> NDArray[np.int64]:
    """The nearest of the integers of `width` to each of `real`; binary weights have no 0, which counts as positive."""
    if width == "binary":
        return np.where(real < 0, -1, 1)
    return np.clip(np.rint(real), *LIMITS[width]).astype(np.int64)
