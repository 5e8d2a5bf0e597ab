"""store_states: every state and its next value can share memory afterwards, and nothing that is computed changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midge.errors import InternalError
from midge.interpreter import interpret_all, next_states
from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.tensor import Array
from midge.ir.verify import verify
from midge.ops.add import Add
from midge.ops.reshape import Reshape
from midge.ops.sub import Sub
from midge.passes import CANONICALIZE, run_passes, store_states
from midge.passes.store_states import roots_of
from small_graphs import floats

SHAPE = (1, 3)


def network(ops: list[Op], outputs: tuple[str, ...], updates: Mapping[str, str]) -> Graph:
    """All tensors of one shape; states start at 1, 2, ..."""
    names = {"x", *(n for op in ops for n in (*op.inputs, *op.outputs)), *updates}
    tensors = {n: floats(n, SHAPE) for n in names}
    for number, state in enumerate(updates):
        tensors[state] = replace(tensors[state], initial=np.full(SHAPE, number + 1, np.float32))
    return verify(Graph("states", ("x",), outputs, tensors, tuple(ops), updates))


def add(x: str, y: str, output: str) -> Add:
    return Add(name=output, inputs=(x, y), outputs=(output,), clamp=NO_CLAMP)


def subtract(x: str, y: str, output: str) -> Sub:
    return Sub(name=output, inputs=(x, y), outputs=(output,), clamp=NO_CLAMP)


def view(x: str, output: str) -> Reshape:
    return Reshape(name=output, inputs=(x,), outputs=(output,), shape=SHAPE)


def run_in_shared_memory(graph: Graph, inputs: list[Array]) -> list[list[Array]]:
    """What the network gives when each tensor lies where its root does, a next value where its state does."""
    roots = roots_of(graph)
    home = {update: state for state, update in graph.updates.items()}
    memory: dict[str, Array] = {t.name: t.initial for t in graph.states if t.initial is not None}
    memory |= {name: t.data for name, t in graph.tensors.items() if t.data is not None}

    def place(name: str) -> str:
        return home.get(roots[name], roots[name])

    results = []
    for x in inputs:
        memory["x"] = x
        for op in graph.ops:
            values = [memory[place(n)] for n in op.inputs]
            (value,) = op.evaluate(graph.inputs_of(op), graph.outputs_of(op), values)
            memory[place(op.outputs[0])] = value
        results.append([memory[place(name)].reshape(graph.tensors[name].shape) for name in graph.outputs])
    return results


def run(graph: Graph, inputs: list[Array]) -> list[list[Array]]:
    states, results = None, []
    for x in inputs:
        values = interpret_all(graph, [x], states)
        states = next_states(graph, values)
        results.append([values[name] for name in graph.outputs])
    return results


INPUTS = [np.full(SHAPE, v, np.float32) for v in (1, 10, 100)]
CASES = {
    "written after the last reader": network([add("s", "x", "y"), add("y", "x", "n")], ("y",), {"s": "n"}),
    "written by its reader": network([add("s", "x", "n"), add("n", "x", "y")], ("y",), {"s": "n"}),
    "read after it is written": network([add("x", "x", "n"), add("s", "x", "y")], ("y",), {"s": "n"}),
    "read through a view after it is written": network(
        [view("s", "v"), add("x", "x", "n"), add("v", "x", "y")], ("y",), {"s": "n"}
    ),
    "two that change places": network([add("a", "b", "y")], ("y",), {"a": "b", "b": "a"}),
    "three in a ring": network([add("a", "b", "p"), add("p", "c", "y")], ("y",), {"a": "b", "b": "c", "c": "a"}),
    "an output that is the next value": network([add("s", "x", "n")], ("n",), {"s": "n"}),
    "an output that is a view of the state": network([view("s", "y"), add("s", "x", "n")], ("y",), {"s": "n"}),
    "the input is the next value": network([add("s", "x", "y")], ("y",), {"s": "x"}),
    "one value for two": network([add("a", "b", "n"), add("n", "x", "y")], ("y",), {"a": "n", "b": "n"}),
    "a view is the next value": network([add("s", "x", "p"), view("p", "n")], ("p",), {"s": "n"}),
    "it stays as it is": network([add("s", "x", "y")], ("y",), {"s": "s"}),
}


@pytest.mark.parametrize("graph", CASES.values(), ids=CASES)
def test_states_and_their_next_values_can_share_memory(graph: Graph) -> None:
    stored = verify(store_states(graph))
    expected = run(graph, INPUTS)
    np.testing.assert_array_equal(run(stored, INPUTS), expected)
    np.testing.assert_array_equal(run_in_shared_memory(stored, INPUTS), expected)
    assert verify(store_states(stored)).ops == stored.ops


def test_no_copy_where_none_is_needed() -> None:
    stored = store_states(CASES["written after the last reader"])
    assert stored.ops == CASES["written after the last reader"].ops


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Additions, subtractions and views of what there is, with two states that take any value."""
    known, ops = ["x", "a", "b"], list[Op]()
    for number in range(draw(st.integers(1, 6))):
        first, second = (draw(st.sampled_from(known)) for _ in range(2))
        name = f"t{number}"
        kind = draw(st.sampled_from(["add", "sub", "view"]))
        known.append(name)
        if kind == "view":
            ops.append(view(first, name))
        else:
            ops.append(add(first, second, name) if kind == "add" else subtract(first, second, name))
    updates = {state: draw(st.sampled_from(known)) for state in "ab"}
    outputs = draw(st.lists(st.sampled_from([op.outputs[0] for op in ops]), min_size=1, max_size=2, unique=True))
    return network(ops, tuple(outputs), updates)


@settings(max_examples=150, deadline=None)
@given(graph=networks())
def test_drawn_networks_remember_the_same_after_all_passes(graph: Graph) -> None:
    stored = verify(store_states(run_passes(graph, CANONICALIZE)))
    expected = run(graph, INPUTS)
    np.testing.assert_array_equal(run(stored, INPUTS), expected)
    np.testing.assert_array_equal(run_in_shared_memory(stored, INPUTS), expected)


def test_verify_refuses_states_that_cannot_be() -> None:
    sound = CASES["written after the last reader"]
    wide = floats("n", (1, 4))
    for broken in (
        replace(sound, updates={}),
        replace(sound, updates={"s": "nobody"}),
        replace(sound, inputs=("x", "s")),
        replace(sound, tensors={**sound.tensors, "n": wide}),
        replace(sound, tensors={**sound.tensors, "s": replace(sound.tensors["s"], initial=np.zeros(2, np.float32))}),
    ):
        with pytest.raises(InternalError):
            verify(broken)
