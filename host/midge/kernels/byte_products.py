"""Requantization by products of 8 by 8 bits, for cores that have no others: exact or not used.

As in midge.kernels.two_products the sum is taken relative to the start of the window in which outputs differ, and
limited to it: u = 0..last. With a factor of `split` fraction bits

    output = byte of (u * factor + addend - (u < zero ? below : 0)) >> split

Of the products of a byte of u and a byte of the factor only those are made that matter: bytes of the result below
number `kept` are left out, and with them all that belongs to them alone. What that can cost is taken from the room that
the addend has (midge.kernels.near_factors), so that outputs stay those of the definition (midge.numerics.fixed_point)
for every sum, or nothing is found. Addend and `below` are in units of byte `kept`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.near_factors import MOST_RIGHT, NEIGHBORS, Steps, addends, near_factors, steps_of
from midge.kernels.steps import first_sums, is_same
from midge.numerics.requantize import Requantization

_MOST_FACTOR_BYTES = 4
_MOST_ADDEND_BYTES = 4
_KEPT = (2, 1, 0)
_WIDEST = 1 << 24
# There are many forms: behind so many neighbors one that half the channels cannot have is given up.
_PATIENCE = 5


@dataclass(frozen=True)
class Form:
    """Which products are made. `width` and `factor_bytes` are the bytes of u and of the factor; `top_bit` says that the
    third byte of u is but one bit, by which the factor is added or not."""

    width: int
    factor_bytes: int
    split: int
    kept: int
    top_bit: bool = False

    @property
    def top(self) -> int:
        """The highest byte of the result that counts."""
        return (self.split + 7) // 8

    @property
    def products(self) -> tuple[tuple[int, int], ...]:
        """(byte of u, byte of the factor) of the products to be made, by byte of the factor."""
        pairs = ((i, j) for j in range(self.factor_bytes) for i in range(self.width))
        return tuple((i, j) for i, j in pairs if self.kept - 1 <= i + j <= self.top)

    @property
    def multiplied(self) -> tuple[tuple[int, int], ...]:
        """The products that are multiplications."""
        return tuple((i, j) for i, j in self.products if i < 2 or not self.top_bit)

    @property
    def cycles(self) -> int:
        """What an AVR takes for products, sums and the last shift."""
        sums = sum(self.top - max(i + j, self.kept) + 1 for i, j in self.multiplied)
        added = self.top - self.kept + 1
        loads = added + self.factor_bytes + (2 + added // 2 if self.top_bit else 0)
        return 2 * len(self.multiplied) + sums + loads + 2 * min(self.split % 8, -self.split % 8)


@dataclass(frozen=True, eq=False)
class ByteProducts:
    """The constants of the formula, int64 by channel; `starts` are the windows' starts, `lasts` the greatest u. `zeros`
    and `below` are None where no channel needs them."""

    form: Form
    starts: Array
    lasts: Array
    factors: Array
    addends: Array
    zeros: Array | None
    below: Array | None

    @property
    def below_bytes(self) -> int:
        """Bytes of `below`, 0 where there is none."""
        return 0 if self.below is None else max(1, (int(self.below.max()).bit_length() + 7) // 8)

    @property
    def addend_bytes(self) -> int:
        """Bytes of the addend."""
        return self.form.top - self.form.kept + 1

    @property
    def records(self) -> Array:
        """(channels, n) bytes, low ones first: last, zero and below (where they are used), addend, factor."""
        form = self.form
        signed: tuple[tuple[Array, int], ...] = ()
        if self.zeros is not None and self.below is not None:
            signed = ((self.zeros, form.width), (self.below, self.below_bytes))
        parts = (
            (self.lasts, form.width),
            *signed,
            (self.addends, self.addend_bytes),
            (self.factors, form.factor_bytes),
        )
        return np.concatenate([in_bytes(values, count) for values, count in parts], axis=1)

    def apply(self, sums: Array) -> Array:
        """The outputs for sums, channels last."""
        u, form = np.clip(sums - self.starts, 0, self.lasts), self.form
        total = np.broadcast_to(self.addends, u.shape).copy()
        for i, j in form.products:
            product = (u >> 8 * i & 255) * (self.factors >> 8 * j & 255)
            total += product << 8 * (i + j - form.kept) if i + j >= form.kept else product >> 8
        if self.zeros is not None and self.below is not None:
            total = total - np.where(u < self.zeros, self.below, 0)
        outputs: Array = (total >> (form.split - 8 * form.kept)).astype(np.uint8).view(np.int8).astype(np.int64)
        return outputs


def in_bytes(values: Array, count: int) -> Array:
    """(values, count) uint8, low bytes first, of integers modulo 2^(8 count)."""
    rows: Array = np.ascontiguousarray(values, "<i8").reshape(-1, 1).view(np.uint8)[:, :count]
    return rows


def byte_products(r: Requantization, least: Array, most: Array) -> ByteProducts | None:
    """What does the same as `r` on the sums least..most of each channel; None where nothing is found that does."""
    multipliers, right = (np.broadcast_to(v, least.shape).astype(np.int64) for v in (r.multipliers, -r.shifts))
    right = np.where(multipliers == 0, MOST_RIGHT, right)
    if (right < 0).any() or (right > MOST_RIGHT).any() or max(-least.min(), most.max()) >= 1 << 30:
        return None
    steps = steps_of(first_sums(r, multipliers, right), least, most)
    if int(steps.lasts.max()) >= _WIDEST:
        return None
    real = np.where(steps.lasts > 0, multipliers * np.exp2(-31.0 - right), 0.0)
    for signed in (False, True):
        for form in _forms(steps, real):
            found = _search(steps, np.rint(real * np.exp2(form.split)).astype(np.int64), form, signed)
            if found is not None and is_same(r, found.apply, steps.sums, least, most):
                return found
    return None


def _forms(steps: Steps, real: Array) -> Iterator[Form]:
    """Those whose factor has a byte to be exact with, quickest first."""
    width = 2 if int(steps.lasts.max()) < 1 << 16 else 3
    top_bit = width == 3 and int(steps.lasts.max()) < 1 << 17
    forms = []
    for split in range(16, 41):
        largest = int(np.rint(real.max() * np.exp2(split)).astype(np.int64)) + max(NEIGHBORS)
        count = max(1, (largest.bit_length() + 7) // 8)
        if count <= _MOST_FACTOR_BYTES:
            forms += [Form(width, count, split, kept, top_bit) for kept in _KEPT]
    able = [form for form in forms if 8 * form.kept < form.split and form.top - form.kept < _MOST_ADDEND_BYTES]
    yield from sorted(able, key=lambda form: (form.cycles, -form.split))


def _search(steps: Steps, natural: Array, form: Form, signed: bool) -> ByteProducts | None:
    """Factors near the natural ones that leave room for an addend; with `signed` for two, below zero and from it on."""

    def addends_of(steps: Steps, factors: Array, zeros: Array) -> tuple[Array, Array, Array]:
        left_out = _left_out(factors, form)
        unit = 8 * form.kept
        return addends(steps, factors, zeros, fraction=form.split, unit=unit, left_out=left_out, nearest=True)

    zeros = np.clip(-steps.starts, 0, _WIDEST - 1) if signed else np.zeros_like(natural)
    found = near_factors(steps, natural, zeros, addends_of, _PATIENCE)
    if found is None:
        return None
    offset = found.addends - (128 << form.split - 8 * form.kept)
    rule = (zeros, found.below) if signed else (None, None)
    return ByteProducts(form, steps.starts, steps.lasts, found.factors, offset, *rule)


def _left_out(factors: Array, form: Form) -> Array:
    """The most that the products which are made lack."""
    total = np.zeros_like(factors)
    for i in range(form.width):
        for j in range(form.factor_bytes):
            byte = factors >> 8 * j & 255
            if i + j < form.kept - 1:
                total += 255 * byte << 8 * (i + j)
            elif i + j == form.kept - 1:
                total += np.where(byte > 0, 255 << 8 * (form.kept - 1), 0)
    return total
