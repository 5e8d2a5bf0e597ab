"""What the assembly for AVR is told of a scaling: an output at once only where all channels end at that output."""

from __future__ import annotations

import numpy as np
import pytest

from midge.kernels.byte_products import byte_products
from midge.kernels.byte_scaling import scaling
from midge.numerics.requantize import Requantization

# Of a sum one 32nd is the output. Rounded twice, as gemmlowp does, this is the first that gives 35.
MULTIPLIER, SHIFT, FIRST_OF_35 = 1 << 30, -4, 1103


@pytest.mark.parametrize(("most", "high"), [((10_000, FIRST_OF_35), None), ((10_000, 9000), 127)])
def test_channels_that_end_at_different_outputs_have_no_output_at_once(most: tuple[int, int], high: int | None) -> None:
    """The first channel is clamped at 127; the second one's greatest sum is the first that gives 35."""
    r = Requantization(np.full(2, MULTIPLIER, np.int32), np.full(2, SHIFT, np.int32), 0, -128, 127)
    least, greatest = np.full(2, -10_000), np.array(most)
    found = byte_products(r, least, greatest)
    assert found is not None
    assert scaling(found, least, greatest, 3, {})["high"] == high
