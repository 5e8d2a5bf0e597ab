"""ELU: x where it is positive, e^x - 1 where it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.numerics.tables import Reals
from midge.ops.families.unary import Unary, unary_reader


@dataclass(frozen=True, kw_only=True)
class Elu(Unary):
    """inputs: x. Int16 is midge's own form: within 3 steps of the output where its scale spans the results."""

    def real(self, x: Reals) -> Reals:
        """The exponential only where it is wanted, for it may overflow."""
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


TFLITE = {"ELU": unary_reader(Elu)}
