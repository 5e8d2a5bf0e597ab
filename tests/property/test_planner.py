"""The memory planner on drawn problems: sound, never below the bound, repeatable, optimal where we can enumerate."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midge.errors import InternalError
from midge.memory.planner import Buffer, MemoryPlan, Overlap, plan_memory, verify_plan

Request = tuple[list[Buffer], list[Overlap]]


@st.composite
def requests(draw: st.DrawFn, most: int = 12, largest: int = 40, negative: bool = True) -> Request:
    """Buffers with any lifetimes, and permissions for some pairs where one dies as the other is born."""
    count = draw(st.integers(0, most))
    buffers = []
    for i in range(count):
        first = draw(st.integers(0, 6))
        last = first + draw(st.integers(0, 3))
        size = draw(st.integers(0, largest))
        buffers.append(Buffer(f"b{i}", size, first, last, draw(st.sampled_from((1, 1, 2, 4, 8)))))
    overlaps = [
        Overlap(out.name, into.name, draw(st.integers(-largest if negative else 0, largest)))
        for out, into in product(buffers, buffers)
        if out is not into and out.first == into.last and into.first < out.last and draw(st.booleans())
    ]
    return buffers, overlaps


@st.composite
def networks(draw: st.DrawFn) -> Request:
    """A chain of activations with residual branches, scratch memory and in-place layers."""
    count = draw(st.integers(2, 30))
    buffers, overlaps = [], []
    for i in range(count):
        skip = draw(st.sampled_from((0, 0, 0, 2, 3)))
        buffers.append(Buffer(f"t{i}", 16 * draw(st.integers(1, 500)), i, min(count, i + 1 + skip)))
        if draw(st.booleans()):
            buffers.append(Buffer(f"scratch{i}", draw(st.integers(1, 2000)), i, i))
        previous = next((b for b in buffers if b.name == f"t{i - 1}" and b.last == i), None)
        if previous and draw(st.booleans()):
            overlaps.append(Overlap(f"t{i}", previous.name, draw(st.integers(0, 4000))))
    return buffers, overlaps


def alive_together(a: Buffer, b: Buffer) -> bool:
    return bool(set(range(a.first, a.last + 1)) & set(range(b.first, b.last + 1)))


def bytes_of(buffer: Buffer, offset: int) -> set[int]:
    return set(range(offset, offset + buffer.bytes))


def pair_is_sound(a: Buffer, b: Buffer, at_a: int, at_b: int, overlaps: list[Overlap]) -> bool:
    """The rule for two buffers, written with sets of steps and bytes."""
    if not alive_together(a, b) or not bytes_of(a, at_a) & bytes_of(b, at_b):
        return True
    at = {a.name: at_a, b.name: at_b}
    return any({o.output, o.input} == set(at) and at[o.input] - at[o.output] >= o.distance for o in overlaps)


def fits(buffers: list[Buffer], overlaps: list[Overlap], arena: int) -> bool:
    """Whether some offsets need no more than `arena` bytes: all of them are tried."""

    def extend(placed: list[int]) -> bool:
        if len(placed) == len(buffers):
            return True
        new = buffers[len(placed)]
        return any(
            all(pair_is_sound(old, new, at_old, at, overlaps) for old, at_old in zip(buffers, placed))
            and extend([*placed, at])
            for at in range(0, arena - new.bytes + 1, new.alignment)
        )

    return arena >= 0 and extend([])


def check(request: Request, plan: MemoryPlan) -> None:
    buffers, overlaps = request
    verify_plan(buffers, overlaps, plan)
    at = plan.offsets
    for i, a in enumerate(buffers):
        assert at[a.name] % a.alignment == 0
        assert 0 <= at[a.name] <= plan.arena_bytes - a.bytes
        assert all(pair_is_sound(a, b, at[a.name], at[b.name], overlaps) for b in buffers[:i])
    assert plan.gap_bytes >= 0


@settings(deadline=None)
@given(requests())
def test_buffers_alive_together_never_share_bytes_without_permission(request: Request) -> None:
    check(request, plan_memory(*request, deadline_nodes=500))


@settings(max_examples=30, deadline=None)
@given(networks())
def test_chains_with_residual_branches_get_sound_plans(request: Request) -> None:
    buffers, overlaps = request
    plan = plan_memory(buffers, overlaps, deadline_nodes=2000)
    verify_plan(buffers, overlaps, plan)
    assert plan.arena_bytes >= plan.lower_bound_bytes >= max(b.bytes for b in buffers)


@settings(deadline=None)
@given(requests())
def test_the_same_request_gives_the_same_plan(request: Request) -> None:
    assert plan_memory(*request, deadline_nodes=500) == plan_memory(*request, deadline_nodes=500)


@settings(max_examples=300, deadline=None)
@given(requests(most=4, largest=9, negative=False))
def test_tiny_problems_are_solved_to_the_optimum(request: Request) -> None:
    plan = plan_memory(*request)
    assert plan.optimal
    assert not fits(*request, plan.arena_bytes - 1)


@settings(max_examples=200, deadline=None)
@given(requests(most=4, largest=9))
def test_a_plan_called_optimal_cannot_be_beaten_and_the_bound_holds(request: Request) -> None:
    plan = plan_memory(*request)
    assert not fits(*request, plan.lower_bound_bytes - 1)
    if plan.optimal:
        assert not fits(*request, plan.arena_bytes - 1)


@settings(deadline=None)
@given(requests(), st.data())
def test_moving_a_buffer_onto_another_is_noticed(request: Request, data: st.DataObject) -> None:
    """verify_plan agrees with the rule by sets on plans that nobody checked before."""
    buffers, overlaps = request
    at = {b.name: b.alignment * data.draw(st.integers(0, 8)) for b in buffers}
    arena = max((at[b.name] + b.bytes for b in buffers), default=0)
    sound = all(
        pair_is_sound(a, b, at[a.name], at[b.name], overlaps) for i, a in enumerate(buffers) for b in buffers[:i]
    )
    with nullcontext() if sound else pytest.raises(InternalError, match="alive together"):
        verify_plan(buffers, overlaps, MemoryPlan(at, arena, 0))
