"""The planning problem as gaps between offsets: every rule about a pair of buffers becomes two numbers.

Two buffers a and b that are alive together satisfy

    b >= a + above      or      a >= b + below          (offsets)

For an ordinary pair `above` is a's size and `below` is b's: they are disjoint. For an output o that may overlap an
input i by `distance`: i >= o + min(distance, size of o), or o >= i + size of i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from midge.memory.bound import shareable_bytes
from midge.memory.plan import Buffer, Overlap


@dataclass(frozen=True)
class Conflict:
    """One buffer's rule against `other`: own offset >= other + `above`, or own offset + `below` <= other."""

    other: int
    above: int
    below: int


@dataclass(frozen=True)
class Share:
    """In the live set of index `live_set`, buffers `a` and `b` may have `bytes` in common, no more."""

    live_set: int
    a: int
    b: int
    bytes: int


@dataclass(frozen=True)
class Problem:
    """The request by index, with the conflicts of each buffer. Buffers of no bytes conflict with none."""

    sizes: tuple[int, ...]
    alignments: tuple[int, ...]
    conflicts: tuple[tuple[Conflict, ...], ...]
    live_sets: tuple[tuple[int, ...], ...]
    """Buffers that are alive together, one entry per step that matters."""
    shares: tuple[Share, ...]


def state_problem(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> Problem:
    """Turn buffers and permissions into gaps."""
    distances = {(o.output, o.input): o.distance for o in overlaps}
    conflicts: list[list[Conflict]] = [[] for _ in buffers]
    for i, a in enumerate(buffers):
        for j in range(i + 1, len(buffers)):
            b = buffers[j]
            if not (a.bytes and b.bytes and a.first <= b.last and b.first <= a.last):
                continue
            b_over_a = min(distances.get((a.name, b.name), a.bytes), a.bytes)
            a_over_b = min(distances.get((b.name, a.name), b.bytes), b.bytes)
            if b_over_a + a_over_b > 0:
                conflicts[j].append(Conflict(i, above=b_over_a, below=a_over_b))
                conflicts[i].append(Conflict(j, above=a_over_b, below=b_over_a))
    live_sets = _live_sets(buffers)
    return Problem(
        sizes=tuple(b.bytes for b in buffers),
        alignments=tuple(b.alignment for b in buffers),
        conflicts=tuple(map(tuple, conflicts)),
        live_sets=live_sets,
        shares=_shares(buffers, overlaps, live_sets),
    )


def _live_sets(buffers: Sequence[Buffer]) -> tuple[tuple[int, ...], ...]:
    """What is alive in each step in which something is born; steps that the next one contains are left out."""
    kept: list[tuple[int, ...]] = []
    for step in sorted({b.first for b in buffers if b.bytes}):
        live = tuple(i for i, b in enumerate(buffers) if b.bytes and b.first <= step <= b.last)
        if kept and set(kept[-1]) <= set(live):
            kept.pop()
        kept.append(live)
    return tuple(kept)


def _shares(
    buffers: Sequence[Buffer], overlaps: Sequence[Overlap], live_sets: tuple[tuple[int, ...], ...]
) -> tuple[Share, ...]:
    index = {b.name: i for i, b in enumerate(buffers)}
    pairs = [(index[o.output], index[o.input], o.distance) for o in overlaps]
    return tuple(
        Share(s, a, b, shareable_bytes(buffers[a].bytes, buffers[b].bytes, distance))
        for s, live in enumerate(live_sets)
        for a, b, distance in pairs
        if a in live and b in live
    )
