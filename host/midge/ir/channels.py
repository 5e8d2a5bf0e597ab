"""What an operator says of the channels of its tensors: their values, what holds them together, who reads them.

A channel is an index along the last axis; a scalar is one channel.

    Range  = (low, high)      integers per channel: every value of the channel lies in low..high in any inference
    Ties   = one mapping per input and then per output: axis -> class of each index along the axis
    Mixing = the weighted sum of an operator whose every output channel reads every input channel
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# (low, high), each of shape (channels,): int64, or float64 with infinities for a float tensor.
Range = tuple[NDArray[Any], NDArray[Any]]

# Indices of one class, in whatever tensors of the operator, can only be removed together. An axis that is not there
# cannot lose anything: a tensor computed at run time then needs all its channels, a constant stays as it is.
Ties = tuple[Mapping[int, NDArray[Any]], ...]


@dataclass(frozen=True, eq=False)
class Mixing:
    """sum[o] = bias[o] + sum over taps t and columns c of weights[o, t, c] * (x[c] - zero_point), for int8 operators.

    A tap outside the input adds nothing; `always[t]` says that tap t lies inside for every output. Columns are what the
    last axis of the weights counts: channels of the input, tied to them by the operator's ties.
    """

    weights: NDArray[Any]
    bias: NDArray[Any] | None
    always: NDArray[np.bool_]


def last_axis(tie: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """The classes of a tensor's channels, where it has any."""
    return tie[max(tie)]


def count_classes(ties: Ties) -> int:
    """How many classes an operator has."""
    return 1 + max((int(classes.max()) for tie in ties for classes in tie.values()), default=-1)
