"""The picture of a plan shows each buffer where it is."""

from midge.memory.picture import draw_plan
from midge.memory.planner import Buffer, MemoryPlan, Overlap, plan_memory

BUFFERS = [Buffer("in", 8, 0, 1), Buffer("out", 8, 1, 2)]


def test_a_buffer_covers_its_bytes_in_its_steps() -> None:
    lines = draw_plan(MemoryPlan({"in": 0, "out": 8}, 16, 16), BUFFERS, width=12, height=2).splitlines()
    assert lines[0] == "       8 .bb"
    assert lines[1] == "       0 aa."


def test_shared_bytes_are_marked() -> None:
    plan = plan_memory(BUFFERS, [Overlap("out", "in", 0)])
    assert "a#b" in draw_plan(plan, BUFFERS, width=12, height=2)


def test_no_line_is_wider_than_asked_for() -> None:
    many = [Buffer(f"a very long name of a layer {i}", 8, i, i + 1) for i in range(300)]
    picture = draw_plan(plan_memory(many), many, width=40)
    assert max(map(len, picture.splitlines())) <= 40


def test_an_empty_plan_has_a_picture() -> None:
    assert draw_plan(plan_memory([]), [], width=40) == "(empty arena)"
