"""Sums of int8 products on AVR, for matrix kernels: between which ends they lie, where they start, in how many bytes,
and what makes them outputs (midge.kernels.byte_products).

Activations are taken plus 128 so that they are 0..255, and weights are stored plus 128 too. So every product is one
unsigned multiplication, and since sum x w = sum (x + 128)(w + 128) - 128 sum (x + 128) - 128 sum w, starting values
take care of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.array_cache import cached_by_arrays
from midge.kernels.byte_products import ByteProducts, byte_products, in_bytes
from midge.kernels.byte_scaling import scaling
from midge.numerics.requantize import Requantization

OFFSET = 128


@dataclass(frozen=True, eq=False)
class ByteSums:
    """Sums of a matrix: `found` makes those between least and most (int64 by channel) outputs, with one record for all
    channels where `is_common`; `starts` (int64) are what they start from, but for -128 times the sum of the activations
    plus 128. They need `sum_bytes` bytes, 2 to 4."""

    found: ByteProducts
    least: Array
    most: Array
    starts: Array
    sum_bytes: int
    is_common: bool

    def scaling(self, registers: dict[str, tuple[int, ...]] | None) -> dict[str, object]:
        """What templates/kernels/avr_scale.j2 reads, with records in registers or literal; of sums of four bytes what
        is left when they are limited to three."""
        return scaling(self.found, self.least, self.most, min(self.sum_bytes, 3), registers)

    def stream(self, rows: Array, groups: tuple[tuple[int, int], ...], is_high_turned: bool = False) -> Array:
        """The bytes that are read in one line: for each of the `groups` ((how many, channels in each), ...) the
        starting values, the weights by position, and where channels differ the records. With `is_high_turned`
        what a starting value has beyond two bytes has the sign turned."""
        turned = (self.starts & 65535) - (self.starts >> 16 << 16)
        starts = in_bytes(turned if is_high_turned else self.starts, self.sum_bytes)
        at, parts = 0, []
        for size in (size for count, size in groups for _ in range(count)):
            some = slice(at, at + size)
            weights = (rows[some].astype(np.int16) + OFFSET).astype(np.uint8)
            parts += [starts[some].reshape(-1), weights.T.reshape(-1)]
            parts += [] if self.is_common else [self.found.records[some].reshape(-1)]
            at += size
        stream: Array = np.concatenate(parts)
        return stream


def sum_ends(rows: Array, bias: Array, in_zero: int) -> tuple[Array, Array, Array]:
    """What the sums of x * w start from to become those of (x - in_zero) * w + bias, the least that they can be, and
    the most: int64 by channel, for weights `rows` (channels, depth) and any int8 x."""
    rows = rows.astype(np.int64)
    begin = bias.astype(np.int64) - in_zero * rows.sum(axis=1)
    ends = np.stack([rows * -128, rows * 127])
    return begin, begin + ends.min(axis=0).sum(axis=1), begin + ends.max(axis=0).sum(axis=1)


@cached_by_arrays(256)
def byte_sums(rows: Array, bias: Array, in_zero: int, r: Requantization) -> ByteSums | None:
    """The sums of (x - in_zero) * w + bias with int8 weights `rows` (channels, depth), requantized by `r`; None where
    they need more than four bytes, or no exact form was found."""
    begin, least, most = sum_ends(rows, bias, in_zero)
    found = common_products(r, least, most) or byte_products(r, least, most)
    if found is None:
        return None
    lowest, highest = int((least - found.starts).min()), int((most - found.starts).max())
    sum_bytes = next((n for n in (2, 3, 4) if _fits(lowest, highest, 8 * n - 1)), None)
    if sum_bytes is None or int(found.lasts.max()) >= 1 << 23:
        return None
    starts = begin - OFFSET * rows.astype(np.int64).sum(axis=1) - found.starts
    is_common = len(found.lasts) < len(rows) or len(rows) == 1
    return ByteSums(found, least, most, starts, sum_bytes, is_common)


def common_products(r: Requantization, least: Array, most: Array) -> ByteProducts | None:
    """One record for all channels, where they have one factor; None where not, or where nothing was found."""
    if len(r.multipliers) > 1:
        return None
    return byte_products(r, least.min(keepdims=True), most.max(keepdims=True))


def _fits(lowest: int, highest: int, bits: int) -> bool:
    return -(1 << bits) <= lowest and highest < 1 << bits
