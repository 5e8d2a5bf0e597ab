"""A graph that a pass made of a sound one: what is new is looked at, wherever the fault is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from midge.errors import InternalError
from midge.ir.graph import NO_CLAMP
from midge.ir.verify import verify
from midge.ops.add import Add
from midge.ops.reshape import Reshape
from small_graphs import floats, graph

SOUND = verify(
    graph(
        ["x"],
        ["z"],
        [*(floats(n, (1, 4)) for n in "xyz")],
        [
            Add(name="add", inputs=("x", "x"), outputs=("y",), clamp=NO_CLAMP),
            Reshape(name="same", inputs=("y",), outputs=("z",), shape=(1, 4)),
        ],
    )
)


def test_a_graph_is_sound_beside_itself() -> None:
    assert verify(SOUND, SOUND) is SOUND


def test_an_operator_that_changed_is_looked_at() -> None:
    wrong = replace(SOUND, ops=(SOUND.ops[0], replace(SOUND.ops[1], shape=(2, 2))))
    with pytest.raises(InternalError, match="same"):
        verify(wrong, SOUND)


def test_an_operator_whose_tensors_changed_is_looked_at() -> None:
    wrong = replace(SOUND, tensors={**SOUND.tensors, "y": floats("y", (1, 3))})
    with pytest.raises(InternalError, match="add"):
        verify(wrong, SOUND)


def test_the_order_is_looked_at_even_where_no_operator_changed() -> None:
    with pytest.raises(InternalError, match="before it is written"):
        verify(replace(SOUND, ops=SOUND.ops[::-1]), SOUND)
