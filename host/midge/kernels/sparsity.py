"""Which zeros the sparse kernels can leave out: what pruning asks before it chooses.

Kernels for cores with 16-bit SIMD load an activation once for four output channels. So a vector lies along the output
channels: axis 0 of weights (units, depth) and of weights OHWI alike, from a multiple of its length on (channels 4k to
4k + 3 of one input position). What is left at the end, fewer channels than a vector is long, is a vector too.

With N:M it is vectors that are counted: of each M consecutive positions along the last axis, beginning at a multiple of
M, each four channels keep the same N.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VECTOR_AXIS = 0
"""The axis of weights (units, depth) and OHWI that vectors run along: the output channels."""

POSITION_AXIS = -1
"""The axis of both that N:M counts along: the input channels."""


@dataclass(frozen=True)
class Pattern:
    """Zeros in vectors of `channels` output channels, aligned; where `window` is not 0, `kept` vectors of each window.

    `multiple`: kernels take so many vectors of four channels at a time; a row of vectors (the same channels, all
    positions) that keeps another number is filled up with zeros.
    """

    channels: int
    kept: int = 0
    window: int = 0
    multiple: int = 2


PATTERNS: Mapping[str, Pattern] = {
    "1x2": Pattern(2),
    "1x4": Pattern(4),
    "1:4": Pattern(4, 1, 4),
    "2:4": Pattern(4, 2, 4),
    "1:8": Pattern(4, 1, 8),
}
"""By granularity, as `midge prune` spells it."""
