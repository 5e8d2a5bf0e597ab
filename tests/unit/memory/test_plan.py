"""Requests that make no sense and plans that are not sound are refused in words."""

import pytest

from midge.errors import InternalError
from midge.memory.plan import Buffer, MemoryPlan, Overlap, check_request, verify_plan

A, B = Buffer("a", 16, 0, 1), Buffer("b", 8, 1, 2)


@pytest.mark.parametrize(
    ("buffers", "overlaps", "message"),
    [
        ([A, A], [], "same name"),
        ([Buffer("x", -1, 0, 0)], [], "'x'"),
        ([Buffer("x", 1, 2, 1)], [], "'x'"),
        ([Buffer("x", 1, 0, 0, alignment=0)], [], "'x'"),
        ([A, B], [Overlap("b", "nobody", 0)], "not there"),
        ([A, B], [Overlap("a", "b", 0)], "born in the step"),
        ([A, B], [Overlap("b", "a", 0), Overlap("b", "a", 4)], "same pair"),
        ([Buffer("x", 1, 1, 1)], [Overlap("x", "x", 0)], "itself"),
    ],
)
def test_a_senseless_request_is_refused(buffers: list[Buffer], overlaps: list[Overlap], message: str) -> None:
    with pytest.raises(InternalError, match=message):
        check_request(buffers, overlaps)


@pytest.mark.parametrize(
    ("offsets", "arena", "bound", "message"),
    [
        ({"a": 0}, 24, 0, "not those of the request"),
        ({"a": 0, "b": 16, "c": 0}, 24, 0, "not those of the request"),
        ({"a": 0, "b": 18}, 32, 0, "not aligned"),
        ({"a": -4, "b": 16}, 24, 0, "not aligned"),
        ({"a": 0, "b": 16}, 23, 0, "ends at 24"),
        ({"a": 0, "b": 16}, 24, 25, "below the bound"),
        ({"a": 0, "b": 12}, 24, 0, "alive together"),
    ],
)
def test_an_unsound_plan_is_refused(offsets: dict[str, int], arena: int, bound: int, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        verify_plan([A, B], [], MemoryPlan(offsets, arena, bound))


def test_a_permission_holds_from_its_distance_on() -> None:
    allowed = MemoryPlan({"a": 4, "b": 0}, 20, 16)
    verify_plan([A, B], [Overlap("b", "a", 4)], allowed)
    with pytest.raises(InternalError, match="alive together"):
        verify_plan([A, B], [Overlap("b", "a", 5)], allowed)


def test_the_gap_is_the_distance_from_the_bound() -> None:
    assert MemoryPlan({}, 100, 90).gap_bytes == 10
