"""Sums of a few channels over one window on AVR, weights as code: which register meets which product.

An activation is loaded once and multiplied by each magnitude of its weights; the product is added where the weight is
positive, else subtracted. Of 16 bits a sum is enough where its weights are so small that it cannot leave them (255
times the sum of their sizes, at most 65,535); a channel may be divided over two such sums. A channel with larger
weights has a third byte, and then activations are taken plus 128, so that products have no sign. In `raw` groups, where
all sums have 16 bits, they are taken as they are.

With `skips` an activation of -128 is passed over: plus 128 it is zero, as most are behind a RELU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from midge.ir.tensor import Array

# Where the sums of the channels of a group lie, four registers for each; the first is where a total will be.
SLOTS = (16, 2, 6, 10)
MOST_IN_GROUP = len(SLOTS)
_REACH = 65535 // 255
_MOST_PARTS = 2
# One cycle more for each activation pays when it saves so many products, half of the time.
_WORTH_SKIPPING = 2.0
_OFFSET = 128


@dataclass(frozen=True)
class _Part:
    """A sum of one channel: its lowest register, its third byte's or None, which taps it has, the least that it is."""

    low: int
    carry: int | None
    taps: tuple[int, ...]
    least: int

    @property
    def registers(self) -> tuple[int, ...]:
        """All that it takes."""
        return (self.low, self.low + 1) if self.carry is None else (self.low, self.low + 1, self.carry)


@dataclass(frozen=True)
class LineGroup:
    """Of a group of channels: `params` for templates/kernels/avr_line.j2, and the sum of `least` by channel."""

    params: dict[str, object]
    raw: bool
    least: tuple[int, ...]


def line_group(rows: Array, offsets: Sequence[int], zero_point: int) -> LineGroup:
    """The channels `rows` (channels, taps), at most MOST_IN_GROUP, of a window whose activations lie at `offsets`."""
    skips = zero_point == -_OFFSET and np.count_nonzero(rows) >= _WORTH_SKIPPING * rows.shape[1]
    divided = [_divided(row, 1 if skips else _MOST_PARTS) for row in rows]
    raw = not skips and all(parts is not None for parts in divided)
    if not raw:
        divided = [parts if parts is not None and len(parts) == 1 else None for parts in divided]
    channels = [_parts(row, parts, slot, raw) for row, parts, slot in zip(rows, divided, SLOTS, strict=False)]
    taps, begun = [], set[int]()
    zeroed = [] if not skips else [part for parts in channels for part in parts]
    begun |= {part.low for part in zeroed}
    for tap, offset in enumerate(offsets):
        uses: dict[int, list[tuple[int, int | None, str]]] = {}
        for row, parts in zip(rows, channels, strict=True):
            for part in (p for p in parts if tap in p.taps):
                action = "sub" if row[tap] < 0 else "add"
                if part.low not in begun and action == "add":
                    action = "set"
                elif part.low not in begun:
                    zeroed.append(part)
                begun.add(part.low)
                uses.setdefault(abs(int(row[tap])), []).append((part.low, part.carry, action))
        if uses:
            taps.append((offset, sorted(uses.items())))
    zeroed += [part for parts in channels for part in parts if part.low not in begun]
    params: dict[str, object] = {
        "raw": raw,
        "skips": skips,
        "zeroed": [(part.low, part.carry) for part in zeroed],
        "taps": taps,
        "clobbered": sorted({r for parts in channels for part in parts for r in part.registers if r < SLOTS[0]}),
        "sums": [[(p.low, p.carry, (p.least & 255, p.least >> 8 & 255)) for p in parts] for parts in channels],
    }
    return LineGroup(params, raw, tuple(sum(p.least for p in parts if p.carry is None) for parts in channels))


def _parts(row: Array, parts: list[tuple[int, ...]] | None, slot: int, raw: bool) -> list[_Part]:
    ends = (-_OFFSET, _OFFSET - 1) if raw else (0, 2 * _OFFSET - 1)
    if parts is None:
        return [_Part(slot, slot + 2, tuple(int(t) for t in np.flatnonzero(row)), 0)]
    least = [sum(min(int(row[t]) * end for end in ends) for t in taps) for taps in parts]
    return [_Part(slot + 2 * n, None, taps, at) for n, (taps, at) in enumerate(zip(parts, least, strict=True))]


def _divided(row: Array, most: int) -> list[tuple[int, ...]] | None:
    """The taps with weights, largest first each to the smallest of as few sums as can be; None where `most` are too
    few."""
    for count in range(1, most + 1):
        sizes, parts = [0] * count, [list[int]() for _ in range(count)]
        for tap in sorted(np.flatnonzero(row), key=lambda t: -abs(int(row[t]))):
            least = sizes.index(min(sizes))
            sizes[least] += abs(int(row[tap]))
            parts[least].append(int(tap))
        if max(sizes) <= _REACH:
            return [tuple(sorted(part)) for part in parts]
    return None
