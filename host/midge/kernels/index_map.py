"""An index map, given element by element, as loops with strides: what every kernel that moves elements is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from midge.ir.tensor import Array
from midge.ops.families.move import FILL


@dataclass(frozen=True, eq=False)
class Loop:
    """`size` turns; each adds `stride`, or where no stride does its entry of `table`, to the position in the input."""

    size: int
    stride: int = 0
    table: Array | None = None


@dataclass(frozen=True, eq=False)
class Walk:
    """Over an output in order: the position of each element in the input is `start` plus what the loops add.

    With `fills` it is negative where the element is none of the input's.
    """

    start: int
    loops: tuple[Loop, ...]
    fills: bool


def walk(positions: Array, elements: int) -> Walk:
    """The walk that gives `positions` (FILL where an element is none of the `elements` of the input).

    Most maps add up, dimension by dimension; each is then an affine loop or several, or a table as long as the
    dimension. Other maps are one table of where runs start.
    """
    inside = np.flatnonzero(positions.reshape(-1) != FILL)
    fills = len(inside) < positions.size
    if not len(inside):
        return Walk(0, (Loop(positions.size, 0, np.full(positions.size, -elements)),), True)
    origin = tuple(int(i) for i in np.unravel_index(int(inside[0]), positions.shape))
    start, axes = int(positions[origin]), []
    total = np.zeros(positions.shape, np.int64) + start
    for axis, n in enumerate(positions.shape):
        line: Array = np.moveaxis(positions, axis, -1)[origin[:axis] + origin[axis + 1 :]]
        added = np.where(line == FILL, -elements, line - start)
        axes.append(added)
        total += added.reshape(n, *(1,) * (positions.ndim - axis - 1))
    if not np.array_equal(np.where(total < 0, FILL, total), positions):
        return Walk(0, _runs(positions, elements), fills)
    loops: list[Loop] = []
    for added in axes:
        affine = _affine(added - added[0])
        start += int(added[0]) if affine is not None else 0
        loops += affine if affine is not None else [Loop(len(added), 0, added)]
    return Walk(start, _merged(loops), fills)


def _affine(added: Array) -> list[Loop] | None:
    """The loops that give `added`, which starts with 0, or None when strides alone do not."""
    n = len(added)
    if n == 1:
        return []
    run = np.arange(n) * added[1]
    if np.array_equal(run, added):
        return [Loop(n, int(added[1]))]
    broken = int(np.flatnonzero(run != added)[0])
    for size in (d for d in range(broken, 1, -1) if n % d == 0):
        blocks = added.reshape(-1, size)
        if np.array_equal(blocks - blocks[:, :1], np.broadcast_to(run[:size], blocks.shape)):
            outer = _affine(blocks[:, 0])
            return None if outer is None else [*outer, Loop(size, int(run[1]))]
    return None


def _runs(positions: Array, elements: int) -> tuple[Loop, ...]:
    """A table of the starts of runs of consecutive elements, as long as the innermost dimensions allow."""
    flat, best = positions.reshape(-1), 1
    for axis in range(positions.ndim - 1, -1, -1):
        length = int(np.prod(positions.shape[axis:]))
        blocks = flat.reshape(-1, length)
        empty = blocks[:, :1] == FILL
        if not np.array_equal(np.where(empty, FILL, blocks[:, :1] + np.arange(length)), blocks):
            break
        best = length
    starts = flat.reshape(-1, best)[:, 0]
    return _merged([Loop(len(starts), 0, np.where(starts == FILL, -elements, starts)), Loop(best, 1)])


def _merged(loops: list[Loop]) -> tuple[Loop, ...]:
    """Loops of one turn go, neighbors that are one run are joined."""
    result: list[Loop] = []
    for loop in loops:
        if loop.size == 1 and loop.table is None:
            continue
        last = result[-1] if result else None
        if last and last.table is None and loop.table is None and last.stride == loop.stride * loop.size:
            result[-1] = replace(loop, size=last.size * loop.size)
        else:
            result.append(loop)
    return tuple(result)
