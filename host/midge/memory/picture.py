"""A memory plan as text: the arena from bottom to top, the steps from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

from midge.memory.plan import Buffer, MemoryPlan

_MARGIN = 9
_MAX_STEP_WIDTH = 4


def draw_plan(plan: MemoryPlan, buffers: Sequence[Buffer], width: int = 80, height: int = 16) -> str:
    """Draw `plan` in at most `width` columns and `height` rows, with a legend of one line per buffer below.

    A letter is a buffer, `#` are several in one cell (overlap, or cells too coarse to tell), `.` is free memory. The
    number at the left is the offset at which the row begins. Where there are more steps than columns a column stands
    for several.
    """
    if not plan.arena_bytes:
        return "(empty arena)"
    steps = max(b.last for b in buffers) + 1
    room = max(1, width - _MARGIN)
    step_width = max(1, min(_MAX_STEP_WIDTH, room // steps))
    steps_per_column = -(-steps // room)
    row_bytes = -(-plan.arena_bytes // height)
    lines = []
    for row in reversed(range(-(-plan.arena_bytes // row_bytes))):
        columns = range(0, steps, steps_per_column)
        cells = (_cell(plan, buffers, row * row_bytes, row_bytes, c, steps_per_column) for c in columns)
        lines.append(f"{row * row_bytes:>{_MARGIN - 1}} " + "".join(cell * step_width for cell in cells))
    return "\n".join(lines + [_legend(plan, i, b, width) for i, b in enumerate(buffers)])


def _cell(plan: MemoryPlan, buffers: Sequence[Buffer], start: int, height: int, step: int, steps: int) -> str:
    inside = [
        i
        for i, b in enumerate(buffers)
        if b.first < step + steps and step <= b.last and _shared(plan.offsets[b.name], b.bytes, start, height)
    ]
    return "." if not inside else "#" if len(inside) > 1 else _letter(inside[0])


def _shared(a: int, a_bytes: int, b: int, b_bytes: int) -> bool:
    return min(a + a_bytes, b + b_bytes) > max(a, b)


def _letter(index: int) -> str:
    return ascii_letters[index % len(ascii_letters)]


def _legend(plan: MemoryPlan, index: int, buffer: Buffer, width: int) -> str:
    at = plan.offsets[buffer.name]
    name = "".join(c if c.isprintable() else "?" for c in buffer.name)
    return f"{_letter(index)} {at:>8}..{at + buffer.bytes:<8} steps {buffer.first}..{buffer.last} {name}"[:width]
