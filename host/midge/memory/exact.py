"""Branch and bound over the canonical plans: buffers in order of offset, each resting on what was placed before.

Of all optimal plans take one whose offsets have the smallest sum: nothing in it can sink, so every buffer lies at 0 or
exactly upon buffers that start no higher, and placing in order of offset reproduces it. The search walks these orders
depth first and cuts a branch when

- the new buffer would lie below the last one (not in order), or beside it with a smaller index (the same plan twice);
- a buffer not yet placed fits whole beneath the new one (it could sink there: not canonical);
- some step's unplaced buffers, stacked upon the lowest place left to them, reach the best plan known.

The idea of canonical plans and of these cuts is that of MiniMalloc (Moffitt, ASPLOS 2023); here a pair of buffers may
have gaps other than their sizes. Where a permission's distance is negative an optimum may escape the order by offset,
and an exhausted search proves nothing.
"""

from __future__ import annotations

from midge.memory.conflicts import Problem
from midge.memory.greedy import Placement

_UNPLACED = -1
# The search recurses once per buffer, and Python's stack ends near a thousand calls.
_MOST_BUFFERS = 500


def branch_and_bound(problem: Problem, start: Placement, target: int, nodes: int) -> tuple[Placement, bool]:
    """The best plan found from `start` within `nodes` placements, and whether none better exists for certain.

    Stops at `target`, a size that no plan can go below. Hundreds of buffers are left as they are, without a search.
    """
    if start.peak <= target or len(problem.sizes) > _MOST_BUFFERS:
        return start, start.peak <= target
    search = _Search(problem, start, target, nodes)
    search.descend(sum(1 for size in problem.sizes if size), newest=None)
    ordered = all(c.above >= 0 and c.below >= 0 for conflicts in problem.conflicts for c in conflicts)
    return search.best, search.best.peak <= target or (search.nodes > 0 and ordered)


class _Search:
    """The state of one depth-first walk; `_place` and `_remove` are inverse to each other."""

    def __init__(self, problem: Problem, start: Placement, target: int, nodes: int) -> None:
        self.problem = problem
        self.best = start
        self.target = target
        self.nodes = nodes
        count = len(problem.sizes)
        self.offsets = [_UNPLACED if size else 0 for size in problem.sizes]
        # The lowest offset left to each buffer above those placed.
        self.floors = [0] * count
        self.live_sets_of = [[s for s, live in enumerate(problem.live_sets) if b in live] for b in range(count)]
        self.shares_of = [[(x.live_set, x.a + x.b - b, x.bytes) for x in problem.shares if b in (x.a, x.b)]
                          for b in range(count)]  # fmt: skip
        # For each live set, the bytes that its unplaced buffers need at least.
        self.to_come = [sum(problem.sizes[b] for b in live) for live in problem.live_sets]
        for share in problem.shares:
            self.to_come[share.live_set] -= share.bytes

    def descend(self, left: int, newest: int | None) -> None:
        """Place one more buffer in every way that is not cut, and all others after it."""
        if left == 0:
            peak = max(at + size for at, size in zip(self.offsets, self.problem.sizes))
            self.best = Placement(tuple(self.offsets), peak)
            return
        for b in self._candidates(newest):
            if self.nodes <= 0 or self.best.peak <= self.target:
                return
            self.nodes -= 1
            sunk_floors = self._place(b)
            if self._promising(b):
                self.descend(left - 1, b)
            self._remove(b, sunk_floors)

    def _candidates(self, newest: int | None) -> list[int]:
        """Buffers that a canonical plan can have next, the lowest and then the largest first."""
        sizes, floors = self.problem.sizes, self.floors
        unplaced = [b for b, at in enumerate(self.offsets) if at == _UNPLACED]
        ceiling = min(floors[b] + sizes[b] for b in unplaced)
        lowest = 0 if newest is None else self.offsets[newest]
        order = sorted((floors[b], -sizes[b], b) for b in unplaced if lowest <= floors[b] < ceiling)
        return [b for at, _, b in order if newest is None or at > lowest or b > newest or self._conflict(b, newest)]

    def _conflict(self, a: int, b: int) -> bool:
        return any(c.other == b for c in self.problem.conflicts[a])

    def _place(self, b: int) -> list[tuple[int, int]]:
        """Put `b` on its floor; return the floors that rose by it, as they were."""
        at = self.offsets[b] = self.floors[b]
        before = []
        for c in self.problem.conflicts[b]:
            alignment = self.problem.alignments[c.other]
            floor = -(-(at + c.below) // alignment) * alignment
            if self.offsets[c.other] == _UNPLACED and floor > self.floors[c.other]:
                before.append((c.other, self.floors[c.other]))
                self.floors[c.other] = floor
        self._count(b, -1)
        return before

    def _remove(self, b: int, floors: list[tuple[int, int]]) -> None:
        self._count(b, +1)
        self.offsets[b] = _UNPLACED
        for other, floor in floors:
            self.floors[other] = floor

    def _count(self, b: int, sign: int) -> None:
        """Add (+1) or take away (-1) what `b` needs in its live sets beyond what it shares with unplaced buffers."""
        for s in self.live_sets_of[b]:
            self.to_come[s] += sign * self.problem.sizes[b]
        for s, other, shared in self.shares_of[b]:
            if self.offsets[other] == _UNPLACED:
                self.to_come[s] -= sign * shared

    def _promising(self, newest: int) -> bool:
        """Whether every live set of the newest buffer, and every buffer it raised, may still end below the best."""
        lowest, floors, sizes = self.offsets[newest], self.floors, self.problem.sizes
        if lowest + sizes[newest] >= self.best.peak:
            return False
        for c in self.problem.conflicts[newest]:
            if self.offsets[c.other] == _UNPLACED and floors[c.other] + sizes[c.other] >= self.best.peak:
                return False
        for s in self.live_sets_of[newest]:
            unplaced = [floors[b] for b in self.problem.live_sets[s] if self.offsets[b] == _UNPLACED]
            if unplaced and max(lowest, min(unplaced)) + self.to_come[s] >= self.best.peak:
                return False
        return True
