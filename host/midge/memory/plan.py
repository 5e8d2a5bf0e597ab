"""What the memory planner is asked, what it answers, and the check that an answer is sound.

A step is one position in the schedule (the index of an operator). Sizes and offsets are bytes from the arena's start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from midge.errors import InternalError


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed in the steps `first`..`last`, both included, at a multiple of `alignment` bytes."""

    name: str
    bytes: int
    first: int
    last: int
    alignment: int = 4


@dataclass(frozen=True)
class Overlap:
    """A permission: `output` may share bytes with `input` although both are alive in one step.

    That step is the last of `input` and the first of `output`. With the output at offset o and the input at offset i
    the two may intersect exactly when

        i - o >= distance

    so the output's start runs at least `distance` bytes behind the input's. A kernel that walks upwards states the
    smallest distance for which no write reaches a byte that it has yet to read: 0 when output element k is written
    after input bytes up to the same address were read (elementwise, pooling), positive when the output grows faster
    than the input is consumed, negative when the output may even start a little above the input. A kernel that walks
    downwards has no use for this rule. Without intersection any offsets are allowed, as for every pair.

    Several permissions may name one output (ADD with two dying inputs); each holds for its own pair.
    """

    output: str
    input: str
    distance: int


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets by buffer name, the arena that they need, and a size below which no plan can go.

    `optimal` says that no smaller arena exists: the lower bound is reached, or the search was exhausted. The first
    `state_bytes` of the arena hold what lives from one call to the next; all above is free between calls.
    """

    offsets: Mapping[str, int]
    arena_bytes: int
    lower_bound_bytes: int
    optimal: bool = False
    state_bytes: int = 0

    @property
    def gap_bytes(self) -> int:
        """Distance from the lower bound; 0 proves that no plan is smaller."""
        return self.arena_bytes - self.lower_bound_bytes


def check_request(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> None:
    """Raise InternalError for buffers or permissions that make no sense."""
    by_name = {buffer.name: buffer for buffer in buffers}
    if len(by_name) != len(buffers):
        raise InternalError("memory planner: two buffers have the same name")
    for b in buffers:
        if b.bytes < 0 or b.alignment < 1 or b.first > b.last:
            raise InternalError(f"memory planner: buffer {b.name!r} has bytes < 0, alignment < 1 or first > last: {b}")
    for o in overlaps:
        if o.output not in by_name or o.input not in by_name:
            raise InternalError(f"memory planner: {o} names a buffer that is not there")
        if by_name[o.input].last != by_name[o.output].first:
            raise InternalError(f"memory planner: {o} needs an output born in the step where its input dies")
    if len({frozenset((o.output, o.input)) for o in overlaps}) != len(overlaps):
        raise InternalError("memory planner: two permissions for the same pair of buffers")
    if any(o.output == o.input for o in overlaps):
        raise InternalError("memory planner: a buffer overlaps itself")


def verify_plan(buffers: Sequence[Buffer], overlaps: Sequence[Overlap], plan: MemoryPlan) -> None:
    """Raise InternalError unless `plan` is sound; knows the rules alone, nothing of how the plan was found."""
    check_request(buffers, overlaps)
    if set(plan.offsets) != {b.name for b in buffers}:
        raise InternalError("memory plan: the buffers of the plan are not those of the request")
    for b in buffers:
        offset = plan.offsets[b.name]
        if offset < 0 or offset % b.alignment:
            raise InternalError(f"memory plan: {b.name!r} at offset {offset} is not aligned to {b.alignment} bytes")
        if offset + b.bytes > plan.arena_bytes:
            raise InternalError(f"memory plan: {b.name!r} ends at {offset + b.bytes}, past {plan.arena_bytes} bytes")
    if plan.arena_bytes < plan.lower_bound_bytes:
        raise InternalError(f"memory plan: {plan.arena_bytes} bytes lie below the bound {plan.lower_bound_bytes}")
    for a, b in _intersecting(buffers, plan.offsets):
        if not any(_permits(o, a, b, plan.offsets) for o in overlaps):
            raise InternalError(f"memory plan: {a.name!r} and {b.name!r} are alive together and share bytes")


def _intersecting(buffers: Sequence[Buffer], offsets: Mapping[str, int]) -> Iterator[tuple[Buffer, Buffer]]:
    for a, b in combinations(buffers, 2):
        in_time = a.first <= b.last and b.first <= a.last
        in_space = min(offsets[a.name] + a.bytes, offsets[b.name] + b.bytes) > max(offsets[a.name], offsets[b.name])
        if in_time and in_space:
            yield a, b


def _permits(overlap: Overlap, a: Buffer, b: Buffer, offsets: Mapping[str, int]) -> bool:
    """Whether this permission is for the pair, and the starts keep its distance."""
    of_the_pair = {overlap.output, overlap.input} == {a.name, b.name}
    return of_the_pair and offsets[overlap.input] - offsets[overlap.output] >= overlap.distance
