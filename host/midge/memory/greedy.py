"""First fit: place buffers one by one, each at the lowest offset that suits those already placed.

Some order of first fit yields an optimal plan (any optimal plan's own order by offset does), so looking for a plan is
looking for an order. Good orders are known: largest first, longest lived first, and the squeaky wheel, which moves
forward whatever ended up too high (Joslin and Clements, "Squeaky Wheel Optimization", JAIR 10, 1999).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import factorial
from random import Random

from midge.memory.conflicts import Problem


@dataclass(frozen=True)
class Placement:
    """Offsets by buffer index, and the end of the highest buffer."""

    offsets: tuple[int, ...]
    peak: int


def first_fit(problem: Problem, order: Sequence[int]) -> Placement:
    """Place in `order`, each at the lowest aligned offset outside what its placed conflicts forbid."""
    offsets = [-1] * len(problem.sizes)
    for b in order:
        forbidden = sorted(
            (offsets[c.other] - c.below, offsets[c.other] + c.above)
            for c in problem.conflicts[b]
            if offsets[c.other] >= 0
        )
        alignment = problem.alignments[b]
        at = 0
        for low, high in forbidden:
            if at <= low:
                break
            if at < high:
                at = -(-high // alignment) * alignment
        offsets[b] = at
    peak = max((at + size for at, size in zip(offsets, problem.sizes)), default=0)
    return Placement(tuple(offsets), peak)


def known_orders(problem: Problem) -> Iterator[list[int]]:
    """Orders that are good more often than not, each decided by sizes and conflicts alone."""
    everyone = range(len(problem.sizes))
    size = problem.sizes
    load = [size[b] + sum(size[c.other] for c in problem.conflicts[b]) for b in everyone]
    alive = [(sum(size[b] for b in live), live) for live in problem.live_sets]
    tightest = [max((total for total, live in alive if b in live), default=0) for b in everyone]
    yield sorted(everyone, key=lambda b: (-size[b], b))
    yield sorted(everyone, key=lambda b: (-tightest[b], -size[b], b))
    yield sorted(everyone, key=lambda b: (-len(problem.conflicts[b]), -size[b], b))
    yield sorted(everyone, key=lambda b: (-load[b], b))
    yield list(everyone)


def squeaky_wheel(problem: Problem, start: Sequence[int], target: int, nodes: int) -> Placement:
    """Try orders until `target` is met or `nodes` buffers were placed: most of what ends above it is placed earlier."""
    chance = Random(0)  # a fixed seed: the same request always gives the same plan
    order = list(start)
    placed = best = first_fit(problem, order)
    # Few buffers have few orders: eight times as many turns have met them all.
    turns = min(nodes // max(1, len(order)), 8 * factorial(min(len(order), 9)))
    for _ in range(turns):
        if best.peak <= target:
            break
        rank = {b: float(place) for place, b in enumerate(order)}
        for b in order:
            if placed.offsets[b] + problem.sizes[b] > target and chance.random() < 0.7:
                rank[b] -= chance.random() * len(order)
        order.sort(key=lambda b: (rank[b], b))
        placed = first_fit(problem, order)
        best = min(best, placed, key=lambda p: p.peak)
    return best
