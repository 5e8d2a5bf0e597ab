"""Matrix kernels for AVR: how windows meet weights in templates/kernels/avr_windows.j2, and what the flash holds.

A window's activations are copied once, plus 128 so that they are 0..255, behind -128 times their sum; weights are
stored plus 128 too. So every product is one unsigned multiplication, and since
sum x w = sum (x + 128)(w + 128) - 128 sum (x + 128) - 128 sum w, starting values take care of the rest. Sums are kept
in as many bytes as they need. One or two windows meet a group of outputs at a time, all sums in registers; the flash is
read in one line: for each group the starting values, the weights by position, and where channels differ what scales
their sums (midge.kernels.byte_products).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.byte_products import ByteProducts, byte_products, in_bytes
from midge.kernels.byte_scaling import scaling
from midge.kernels.variant import Constant, Layer
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"avr"})

OFFSET = 128


def code_bytes(_: Layer) -> int:
    """Less than the portable kernels', which need the compiler's arithmetic with 64 bits; about their share of it."""
    return -128


_SUM_REGISTERS = 18
_CONSTANT_REGISTERS = 18
_FIRST_REGISTER = 2
_MOST_TURNS = 255
# Multiplications in one turn of the inner loop: code against the loop's own four cycles.
_MOST_UNROLLED, _MOST_UNROLLED_LARGE = 16, 32
# From so many weights on, code for speed is small beside them.
_LARGE = 1024
# A turn has at most this share of that many positions.
_POSITIONS_SHARE = 4
# Outputs in a group for one window: more would save half a cycle of nine, and take code.
_MOST_OUTPUTS = 6
# The same for copying a window.
_MOST_COPIED = 9


@dataclass(frozen=True, eq=False)
class Blocks:
    """The decisions for one matrix (channels, depth), and its bytes; kernels/avr_windows.j2 reads `params`."""

    params: dict[str, object]
    stream: Array

    @property
    def pixels(self) -> int:
        """Windows done at a time: 1 or 2."""
        return int(str(self.params["pixels"]))

    @property
    def hop(self) -> int:
        """Bytes of scratch for a window."""
        return int(str(self.params["hop"]))

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The one array."""
        return (Constant("stream", "uint8_t", self.stream),)


def blocks(rows: Array, bias: Array, zero_point: int, r: Requantization, windows: int) -> Blocks | None:
    """The sums of (x - zero_point) * w + bias over int8 windows, with weights `rows` (channels, depth), requantized by
    `r`, for so many windows. None where sums need more than three bytes, or no exact form was found."""
    weights = rows.astype(np.int8)
    key = (weights.tobytes(), weights.shape, bias.astype(np.int64).tobytes(), zero_point, windows)
    return _blocks(*key, r.multipliers.tobytes(), r.shifts.tobytes(), r.zero_point, r.low, r.high)


@lru_cache(maxsize=256)
def _blocks(
    weights: bytes,
    shape: tuple[int, int],
    biases: bytes,
    in_zero: int,
    windows: int,
    multipliers: bytes,
    shifts: bytes,
    zero_point: int,
    low: int,
    high: int,
) -> Blocks | None:
    rows = np.frombuffer(weights, np.int8).reshape(shape).astype(np.int64)
    r = Requantization(np.frombuffer(multipliers, np.int32), np.frombuffer(shifts, np.int32), zero_point, low, high)
    bias = np.frombuffer(biases, np.int64) - in_zero * rows.sum(axis=1)
    ends = np.stack([rows * -128, rows * 127])
    least, most = bias + ends.min(axis=0).sum(axis=1), bias + ends.max(axis=0).sum(axis=1)
    found = _common(r, least, most) or byte_products(r, least, most)
    unroll = _unroll(shape[1])
    if found is None or unroll == 0:
        return None
    lowest, highest = int((least - found.starts).min()), int((most - found.starts).max())
    sum_bytes = 2 if _fits(lowest, highest, 15) else 3
    if not _fits(lowest, highest, 23):
        return None
    is_common = len(found.lasts) < len(rows) or len(rows) == 1
    registers = None if is_common else constant_registers(found, 2)
    pixels = 2 if windows > 1 and (is_common or registers is not None) else 1
    if not is_common:
        registers = constant_registers(found, pixels)
    groups = _groups(len(rows), min(_SUM_REGISTERS // (pixels * sum_bytes), _MOST_OUTPUTS))
    hop = sum_bytes + shape[1]
    skips = pixels == 1 and in_zero == -OFFSET and groups[0][1] > 1
    unrolled = (_MOST_UNROLLED_LARGE if rows.size >= _LARGE else _MOST_UNROLLED) >> skips
    params: dict[str, object] = {
        "pixels": pixels,
        "groups": groups,
        "depth": shape[1],
        "unroll": _unroll(shape[1], min(unrolled // (pixels * groups[0][1]), unrolled // _POSITIONS_SHARE)),
        "channels": len(rows),
        "is_once": len(rows) * pixels == 1,
        "skips": skips,
        "sum_bytes": sum_bytes,
        "hop": hop,
        "scaling": scaling(found, least, most, sum_bytes, registers),
        "clobbered": _clobbered(groups, pixels * sum_bytes, registers, found.addend_bytes),
    }
    starts = bias - OFFSET * rows.sum(axis=1) - found.starts
    return Blocks(params, _stream(rows, in_bytes(starts, sum_bytes), None if is_common else found.records, groups))


def gather(rows: int, run: int, skip: int) -> dict[str, object]:
    """How the assembly copies a window of `rows` runs that lie `skip` bytes apart: `turn` activations per turn of a
    loop over a run; `flat` says that runs are not looped over, `is_row` that there is but one, short enough for the
    function that layers share."""
    if skip == 0 or rows == 1:
        rows, run = 1, rows * run
    fitting = [n for n in range(1, _MOST_COPIED + 1) if run % n == 0 and run // n <= _MOST_TURNS]
    turn = max(fitting, default=0)
    flat = turn == run and rows * run <= 2 * _MOST_COPIED
    is_row = rows == 1 and run <= _MOST_TURNS
    return {"rows": rows, "run": run, "skip": skip, "turn": turn, "flat": flat, "is_row": is_row}


def _common(r: Requantization, least: Array, most: Array) -> ByteProducts | None:
    """One record for all channels, where they have one factor."""
    if len(r.multipliers) > 1:
        return None
    return byte_products(r, least.min(keepdims=True), most.max(keepdims=True))


def _fits(lowest: int, highest: int, bits: int) -> bool:
    return -(1 << bits) <= lowest and highest < 1 << bits


def _unroll(depth: int, most: int = 0) -> int:
    """The positions per turn: a divisor of the depth, at most `most`, 0 where there would be too many turns."""
    fitting = [n for n in range(1, max(most, 1) + 1) if depth % n == 0 and depth // n <= _MOST_TURNS]
    if fitting:
        return max(fitting)
    return min((n for n in range(1, 65) if depth % n == 0 and depth // n <= _MOST_TURNS), default=0)


def _groups(channels: int, most: int) -> tuple[tuple[int, int], ...]:
    """((how many groups, channels in each), ...): groups of one size where there is a good one, else of two sizes."""
    for size in range(min(most, channels), max(most // 2, 1), -1):
        if channels % size == 0:
            return ((channels // size, size),)
    count = -(-channels // most)
    size, larger = divmod(channels, count)
    return tuple((n, s) for n, s in ((larger, size + 1), (count - larger, size)) if n)


def constant_registers(
    found: ByteProducts, pixels: int, most: int = _CONSTANT_REGISTERS
) -> dict[str, tuple[int, ...]] | None:
    """Where the bytes of a record are held, for as many pixels; None where `most` registers are too few.

    With one pixel the addend is where it is added to.
    """
    form = found.form
    signed = form.width if found.below_bytes else 0
    names = {
        "last": form.width,
        "zero": signed,
        "below": found.below_bytes,
        "addend": found.addend_bytes,
        "factor": form.factor_bytes,
    }
    sizes = names if pixels == 1 else {**names, "total": found.addend_bytes}
    if sum(sizes.values()) > most:
        return None
    at, places = _FIRST_REGISTER, {}
    for name, size in sizes.items():
        places[name] = tuple(range(at, at + size))
        at += size
    return places if pixels == 2 else {**places, "total": places["addend"]}


def _clobbered(
    groups: tuple[tuple[int, int], ...], sum_bytes: int, registers: dict[str, tuple[int, ...]] | None, addend_bytes: int
) -> tuple[int, ...]:
    """Of r2 to r19, those that the assembly writes to: the compiler saves no others."""
    sums = range(_FIRST_REGISTER, _FIRST_REGISTER + max(size for _, size in groups) * sum_bytes)
    constants = (15, *range(16, 16 + addend_bytes)) if registers is None else sum(registers.values(), ())
    return tuple(sorted({*sums, *constants}))


def _stream(rows: Array, starts: Array, records: Array | None, groups: tuple[tuple[int, int], ...]) -> Array:
    at, parts = 0, []
    for count, size in groups:
        for _ in range(count):
            some = slice(at, at + size)
            parts += [starts[some].reshape(-1), (rows[some] + OFFSET).T.astype(np.uint8).reshape(-1)]
            if records is not None:
                parts.append(records[some].reshape(-1))
            at += size
    stream: Array = np.concatenate(parts)
    return stream
