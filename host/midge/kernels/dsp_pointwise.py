"""Every pixel times one matrix, on cores with 16-bit SIMD: what 1x1 convolutions and matrix products bind alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.dsp_packing import packed_stream, table_bytes
from midge.kernels.narrow import Narrow, Packing
from midge.kernels.paired_channels import GROUP, Sums, stream
from midge.kernels.variant import Binding, Constant
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"dsp", "fpu"})
# Pairs of positions done per turn of the inner loop: some 56 bytes of code each, more where weights are unpacked.
_UNROLLS: Mapping[Packing, tuple[int, ...]] = {
    "int8": (16, 8, 4, 2),
    "int4": (8, 4, 2),
    "index4": (8, 4, 2),
    "int2": (8, 4, 2),
    "index2": (16, 8, 4, 2),
    "ternary": (8, 4, 2),
    "binary": (8, 4),
}


@dataclass(frozen=True)
class Pixels:
    """Which pixels: `rows` of `pixels`, that many bytes apart in the input; the output has them one after another."""

    rows: int
    pixels: int
    pixel_bytes: int
    row_bytes: int


def unrolled(positions: int, found: Narrow | None = None) -> tuple[int, int]:
    """(pairs of positions done per turn, pairs in all): the fewest cycles, 15 for a pair and 4 for a turn.

    `found`: what narrow weights there are, if any.
    """
    pairs = -(-positions // 2)

    def cycles(unroll: int) -> int:
        turns = -(-pairs // unroll)
        return turns * (15 * unroll + 4)

    best = min(_UNROLLS["int8" if found is None else found.width], key=cycles)
    return best, -(-pairs // best) * best


def pixel_order(depth: int, found: Narrow) -> Array:
    """The order of a widened pixel where weights are packed."""
    return widened_order(depth, unrolled(depth, found)[1])


def widened_order(depth: int, words: int) -> Array:
    """Which position each int16 of a widened pixel holds (midge_dsp_widen), -1 for none; `words` pairs."""
    order = np.full(2 * words, -1)
    order[:depth] = np.arange(depth)
    whole = depth - depth % 4
    order[:whole] = (np.arange(whole).reshape(-1, 4)[:, [0, 2, 1, 3]]).reshape(-1)
    return order


def scratch_bytes(pixels: Pixels, depth: int, found: Narrow | None = None) -> int:
    """Two widened pixels, one where there is only one; of binary weights also the sum of each pixel, of indices what
    they stand for."""
    total = int(found is not None and found.width == "binary")
    return table_bytes(found) + 4 * (unrolled(depth, found)[1] + total) * min(2, pixels.pixels)


def bind_pixels(pixels: Pixels, sums: Sums, r: Requantization, found: Narrow | None = None) -> Binding:
    """Literals for the template, the stream and the sizes."""
    channels, depth = sums.weights.shape
    unroll, words = unrolled(depth, found)
    order = widened_order(depth, words)
    packed = stream(sums, r, order) if found is None else packed_stream(found, sums, r, order)
    rest = channels % GROUP
    sizes = [
        *(pixels.rows, pixels.pixels, pixels.pixel_bytes, pixels.row_bytes, depth, words),
        *(channels - rest, rest, len(packed.words), channels // GROUP * packed.words_per_group),
    ]
    params: Mapping[str, object] = {
        "unroll": unroll,
        "pairs": pixels.pixels > 1,
        **packed.params,
    }
    constants = (Constant("stream", "int32_t", packed.words), Constant("sizes", "int32_t", np.array(sizes, np.int32)))
    return Binding(params, (*constants, *packed.tables))
