"""Matrix kernels for AVR: how windows meet weights in templates/kernels/avr_windows.j2, and what the flash holds.

A window's activations are copied once, plus 128, behind -128 times their sum (midge.kernels.byte_sums). One or two
windows meet a group of outputs at a time, all sums in registers; the flash is read in one line: for each group the
starting values, the weights by position, and where channels differ what scales their sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.byte_products import ByteProducts
from midge.kernels.byte_sums import OFFSET, byte_sums
from midge.kernels.variant import Constant, Layer
from midge.numerics.requantize import Requantization

NEEDS = frozenset({"avr"})


def code_bytes(_: Layer) -> int:
    """Less than the portable kernels', which need the compiler's arithmetic with 64 bits; about their share of it."""
    return -128


_SUM_REGISTERS = 18
_MOST_SUM_BYTES = 3
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
    sums = byte_sums(rows.astype(np.int8), bias, zero_point, r)
    depth = rows.shape[1]
    unroll = _unroll(depth)
    if sums is None or sums.sum_bytes > _MOST_SUM_BYTES or unroll == 0:
        return None
    found, is_common, sum_bytes = sums.found, sums.is_common, sums.sum_bytes
    registers = None if is_common else constant_registers(found, 2)
    pixels = 2 if windows > 1 and (is_common or registers is not None) else 1
    if not is_common:
        registers = constant_registers(found, pixels)
    groups = _groups(len(rows), min(_SUM_REGISTERS // (pixels * sum_bytes), _MOST_OUTPUTS))
    skips = pixels == 1 and zero_point == -OFFSET and groups[0][1] > 1
    unrolled = (_MOST_UNROLLED_LARGE if rows.size >= _LARGE else _MOST_UNROLLED) >> skips
    params: dict[str, object] = {
        "pixels": pixels,
        "groups": groups,
        "depth": depth,
        "unroll": _unroll(depth, min(unrolled // (pixels * groups[0][1]), unrolled // _POSITIONS_SHARE)),
        "channels": len(rows),
        "is_once": len(rows) * pixels == 1,
        "skips": skips,
        "sum_bytes": sum_bytes,
        "hop": sum_bytes + depth,
        "scaling": sums.scaling(registers),
        "clobbered": _clobbered(groups, pixels * sum_bytes, registers, found.addend_bytes),
    }
    return Blocks(params, sums.stream(rows, groups))


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
