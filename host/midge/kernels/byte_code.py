"""The steps of a matrix as code for AVR (midge.kernels.weights_as_code), and what they take.

Six sums of three bytes are in r2-r19. Y points to the activations; one of them, plus 128 so that products have no sign,
is in r20, a product in r1:r0. r23 is zero, X is behind the outputs that are still to come: the last group is made
first, and of a group the last channel. An activation that is zero, plus 128, may be passed over.
templates/kernels/fully_connected/avr_code.c.j2 spells the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.byte_products import ByteProducts, byte_products
from midge.kernels.byte_scaling import Steps, literal_words, scaling, steps_table
from midge.kernels.byte_sums import OFFSET, sum_ends
from midge.kernels.weights_as_code import Group, Matrix, Use, grouped
from midge.numerics.requantize import Requantization

SUM_BYTES = 3
MOST_SUMS = 6
_FIRST = 2
_MOST_OFFSET = 63
# Cycles from which on an activation's uses are worth the test whether it is zero.
_WORTH_SKIPPING = 6
# A table makes an output in some 25 cycles less than products do.
_MOST_TABLE_BYTES, _WORTH_TABLE_BYTES = 2048, 64

Step = tuple[str | int, ...]
# Cycles and words of a step, by its name.
_COSTS = {
    "move": (2, 2),
    "load": (3, 2),
    "pass": (1, 1),
    "end": (0, 0),
    "product": (3, 2),
    **dict.fromkeys(("add", "sub", "add_one", "sub_one"), (3, 3)),
}
# Cycles of an output, about; words to take its sum and to put it, and to call what scales it.
_OUTPUT, _OUTPUT_BY_TABLE, _OUTPUT_BY_CALL = 40, 24, 46
_SUM_WORDS, _CALL_WORDS = 7, 2
# What is done once.
_WHOLE_CYCLES, _WHOLE_WORDS = 110, 50
Scalings = tuple[dict[str, object], ...]


@dataclass(frozen=True)
class _Cost:
    cycles: int
    words: int


@dataclass(frozen=True, eq=False)
class ByteCode:
    """The steps by group, for each group what its channels' sums start with; how they become outputs: by channel, or
    one for all, then by a table where there is one. `cycles` are about those without zeros among activations."""

    groups: tuple[tuple[tuple[Step, ...], tuple[int, ...]], ...]
    starts: tuple[int, ...]
    scalings: Scalings
    steps: Steps | None
    cycles: int
    bytes: int


def byte_code(matrix: Matrix) -> ByteCode | None:
    """The code of a matrix; None where sums need more than three bytes, or no exact form was found."""
    rows, r = matrix.rows, matrix.requantization
    total, least, most = sum_ends(rows, matrix.bias, matrix.zero_point)
    found = _found(r, least, most)
    if found is None:
        return None
    is_common = len(found) < len(rows) or len(rows) == 1
    begin = np.broadcast_to(np.array([int(f.starts[0]) for f in found]), least.shape)
    if max(int((most - begin).max()), int((begin - least).max())) >= 1 << 23:
        return None
    starts = total - OFFSET * rows.sum(axis=1) - begin
    scalings = tuple(_scaling(f, least[c], most[c]) for c, f in enumerate(found))
    if is_common:
        scalings = (_scaling(found[0], least.min(), most.max()),)
    table = _table(found[0], int(most.max()), len(rows)) if is_common else None
    if table is not None:
        is_clipped = scalings[0]["clip_high"] and not table.is_whole
        scalings = ({**scalings[0], "steps": "%[steps]", "clip_high": is_clipped},)
    groups = grouped(rows, MOST_SUMS, 0)
    steps = [tuple(_steps(group, matrix.zero_point == -OFFSET)) for group in reversed(groups)]
    channels = [tuple(channel for channel, _ in group.channels) for group in reversed(groups)]
    cost = _taken(groups, steps, scalings, is_common and table is None)
    code_bytes = 2 * cost.words + (len(table.pairs) if table else 0)
    made = tuple(zip(steps, channels, strict=True))
    return ByteCode(made, tuple(int(v) for v in starts), scalings, table, cost.cycles, code_bytes)


def _found(r: Requantization, least: Array, most: Array) -> tuple[ByteProducts, ...] | None:
    """How sums become outputs: one for all channels where they have one factor, else each channel's."""
    if len(r.multipliers) == 1:
        common = byte_products(r, least.min(keepdims=True), most.max(keepdims=True))
        return None if common is None else (common,)
    found = []
    for channel in range(len(least)):
        part = slice(channel, channel + 1)
        own = Requantization(r.multipliers[part], r.shifts[part], r.zero_point, r.low, r.high)
        made = byte_products(own, least[part], most[part])
        if made is None:
            return None
        found.append(made)
    return tuple(found)


def _scaling(found: ByteProducts, least: int, most: int) -> dict[str, object]:
    return scaling(found, np.array([least]), np.array([most]), SUM_BYTES, None)


def _table(found: ByteProducts, most: int, channels: int) -> Steps | None:
    """The table, where there is one that is worth its bytes."""
    steps = steps_table(found, most)
    if steps is None or len(steps.pairs) > min(_WORTH_TABLE_BYTES * channels, _MOST_TABLE_BYTES):
        return None
    return steps


def _taken(groups: Sequence[Group], steps: Sequence[tuple[Step, ...]], scalings: Scalings, by_call: bool) -> _Cost:
    """What the steps take with all around them."""
    costs = [_COSTS[str(step[0])] for group in steps for step in group]
    cycles, words = (sum(column) for column in zip(*costs, strict=True)) if costs else (0, 0)
    sizes = [len(group.sums) for group in groups]
    zeroed = sum(2 + (3 * size - 1) // 2 for size in sizes)
    outputs = sum(_SUM_WORDS * size + (size == MOST_SUMS) for size in sizes)
    scaled = [literal_words(f) for f in scalings]
    by_each = _CALL_WORDS * sum(sizes) + scaled[0] + 2 if by_call else scaled[0] * sum(sizes)
    outputs += sum(scaled) if len(scaled) > 1 else by_each
    kind = _OUTPUT_BY_CALL if by_call else _OUTPUT_BY_TABLE if scalings[0]["steps"] else _OUTPUT
    return _Cost(cycles + zeroed + kind * sum(sizes) + _WHOLE_CYCLES, words + zeroed + outputs + _WHOLE_WORDS)


def _steps(group: Group, may_skip: bool) -> Iterator[Step]:
    at = 0
    for position, uses in group.taps:
        if position - at > _MOST_OFFSET:
            yield "move", position - at
            at = position
        yield "load", position - at
        made = [step for use in uses for step in _use(use)]
        skips = may_skip and sum(_COSTS[str(step[0])][0] for step in made) >= _WORTH_SKIPPING
        if skips:
            yield ("pass",)
        yield from made
        if skips:
            yield ("end",)
    if at:
        yield "move", -at


def _use(use: Use) -> Iterator[Step]:
    if use.factor > 1:
        yield "product", use.factor
    for index, sign in use.targets:
        name = ("add" if sign > 0 else "sub") + ("_one" if use.factor == 1 else "")
        yield name, *(_FIRST + SUM_BYTES * index + byte for byte in range(SUM_BYTES))
