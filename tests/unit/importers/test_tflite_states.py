"""What networks remember, as import_tflite reads it: variables behind handles, their start values, hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.TensorType import TensorType

from midge.errors import MidgeError
from midge.importers.tflite import import_tflite
from midge.interpreter import interpret_all, next_states
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ir.text import graph_text
from midge.run.reference import Reference
from unit.importers.model_file import ModelSpec, OpSpec, TensorSpec, model_file

VALUE = TensorSpec("value", (1, 4))
HANDLE = TensorSpec("handle", (), TensorType.RESOURCE)
FIRST = np.array([1, 2, 3, 4], np.float32)


def handle(output: int, name: str = "memory") -> OpSpec:
    return OpSpec(BuiltinOperator.VAR_HANDLE, (), (output,), BuiltinOptions.VarHandleOptions, (("SharedName", name),))


def read(source: int, output: int) -> OpSpec:
    return OpSpec(BuiltinOperator.READ_VARIABLE, (source,), (output,), BuiltinOptions.ReadVariableOptions)


def assign(target: int, value: int) -> OpSpec:
    return OpSpec(BuiltinOperator.ASSIGN_VARIABLE, (target, value), (), BuiltinOptions.AssignVariableOptions)


def add(x: int, y: int, output: int) -> OpSpec:
    return OpSpec(BuiltinOperator.ADD, (x, y), (output,), BuiltinOptions.AddOptions)


def once(subgraph: int = 1) -> OpSpec:
    return OpSpec(BuiltinOperator.CALL_ONCE, (), (), BuiltinOptions.CallOnceOptions, (("InitSubgraphIndex", subgraph),))


START = ModelSpec((HANDLE, replace(VALUE, data=FIRST.tobytes())), (handle(0), assign(0, 1)), (), ())
# y = memory + x; memory = y. Tensors: x, y, handle, what is read.
SUM = ModelSpec(
    (replace(VALUE, name="x"), replace(VALUE, name="y"), HANDLE, replace(VALUE, name="old")),
    (once(), handle(2), read(2, 3), add(3, 0, 1), assign(2, 1)),
    others=(START,),
)


def graph_of(spec: ModelSpec) -> Graph:
    return import_tflite(model_file(spec), "net")


def outputs(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The first output of each call of one sequence."""
    states, found = None, []
    for value in inputs:
        values = interpret_all(graph, [value], states)
        states = next_states(graph, values)
        found.append(values[graph.outputs[0]])
    return found


def test_a_variable_is_a_state_that_starts_as_call_once_says() -> None:
    graph = graph_of(SUM)
    (state,) = graph.states
    assert (state.name, graph.updates) == ("memory", {"memory": "y"})
    np.testing.assert_array_equal(state.initial, FIRST[None])
    assert "state  memory:float32[1x4] <- y" in graph_text(graph)
    ones = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(outputs(graph, [ones, ones, ones])[-1], FIRST[None] + 3)


def test_a_later_read_means_what_was_assigned_last() -> None:
    # y = memory, read again after memory = memory + x.
    ops = (once(), handle(2), read(2, 3), add(3, 0, 4), assign(2, 4), read(2, 5), add(5, 5, 1))
    spec = replace(SUM, tensors=(*SUM.tensors, replace(VALUE, name="sum"), replace(VALUE, name="new")), ops=ops)
    ones = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(outputs(graph_of(spec), [ones])[0], 2 * (FIRST[None] + 1))


def test_a_variable_that_no_call_assigns_is_a_constant() -> None:
    graph = graph_of(replace(SUM, ops=SUM.ops[:-1]))
    assert not graph.updates
    assert {t.name for t in graph.tensors.values() if t.is_constant} == {"old"}


def test_a_variable_can_be_an_output() -> None:
    ops = (once(), handle(2), read(2, 1), add(1, 0, 3), assign(2, 3))
    ones = np.ones((1, 4), np.float32)
    found = outputs(graph_of(replace(SUM, ops=ops)), [ones, ones])
    np.testing.assert_array_equal(found[1], FIRST[None] + 1)


def test_the_runtime_remembers_the_same() -> None:
    data = model_file(SUM)
    inputs = [np.full((1, 4), step, np.float32) for step in range(5)]
    with Reference(data) as reference:
        for _ in range(2):
            reference.reset()
            for value, found in zip(inputs, outputs(import_tflite(data, "net"), inputs), strict=True):
                np.testing.assert_array_equal(reference.run([value])[0], found)


HOSTILE = {
    "a handle that is none": (replace(SUM, ops=(once(), read(2, 3), add(3, 0, 1), assign(2, 1))), "without a handle"),
    "nothing to start with": (replace(SUM, ops=SUM.ops[1:]), "before anything is assigned"),
    "another variable's start": (
        replace(SUM, others=(replace(START, ops=(handle(0, "other"), assign(0, 1))),)),
        "before anything is assigned",
    ),
    "a start of another shape": (
        replace(SUM, others=(replace(START, tensors=(HANDLE, TensorSpec("v", (4,), data=FIRST.tobytes()))),)),
        "starts as float32[4]",
    ),
    "another shape assigned": (
        replace(
            SUM,
            tensors=(*SUM.tensors, TensorSpec("wide", (4, 4)), TensorSpec("ones", (4, 4), data=bytes(64))),
            ops=(*SUM.ops[:-1], add(0, 5, 4), assign(2, 4)),
        ),
        "float32[4, 4]",
    ),
    "two beginnings": (replace(SUM, ops=(once(), *SUM.ops)), "more than once"),
    "a beginning that is not there": (replace(SUM, ops=(once(7), *SUM.ops[1:])), "subgraph 7 of 2"),
    "a beginning that is the network": (replace(SUM, ops=(once(0), *SUM.ops[1:])), "subgraph 0 of 2"),
    "a beginning within the beginning": (
        replace(SUM, others=(replace(START, ops=(once(), *START.ops)),)),
        "CALL_ONCE",
    ),
    "a handle as a value": (replace(SUM, ops=(once(), handle(2), add(2, 0, 1))), "resource"),
    "assigning nothing": (
        replace(SUM, ops=(*SUM.ops[:-1], replace(SUM.ops[-1], inputs=(2,)))),
        "has 1 inputs, not 2",
    ),
    "a variable tensor that nothing updates": (
        replace(SUM, tensors=(*SUM.tensors[:3], replace(SUM.tensors[3], variable=True)), ops=(add(3, 0, 1),)),
        "nothing updates",
    ),
    "a variable tensor as an input": (
        replace(SUM, tensors=(replace(SUM.tensors[0], variable=True), *SUM.tensors[1:]), ops=(add(0, 0, 1),)),
        "a variable",
    ),
    "a variable tensor that an operator writes": (
        replace(
            SUM,
            tensors=(SUM.tensors[0], replace(SUM.tensors[1], variable=True), *SUM.tensors[2:]),
            ops=(add(0, 0, 1),),
        ),
        "variable",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "words"), HOSTILE.values(), ids=HOSTILE)
def test_variables_that_cannot_be_are_refused_in_words(spec: ModelSpec, words: str) -> None:
    with pytest.raises(MidgeError, match=words.replace("[", r"\[")):
        graph_of(spec)


def svdf(state: int, output: int, rank: int = 1) -> OpSpec:
    return OpSpec(BuiltinOperator.SVDF, (0, 2, 3, -1, state), (output,), BuiltinOptions.SVDFOptions, (("Rank", rank),))


# Three filters over four inputs that remember two steps. Tensors: x, y, features, times, state, a second y.
ONES = np.ones((3, 4), np.float32)
MEMORY = ModelSpec(
    (
        TensorSpec("x", (1, 4)),
        TensorSpec("y", (1, 3)),
        TensorSpec("features", (3, 4), data=ONES.tobytes()),
        TensorSpec("times", (3, 2), data=ONES[:, :2].tobytes()),
        TensorSpec("state", (1, 6), variable=True),
        TensorSpec("z", (1, 3)),
    ),
    (svdf(4, 1),),
)


def test_a_variable_tensor_is_a_state_of_the_operator_that_overwrites_it() -> None:
    graph = graph_of(MEMORY)
    assert graph.updates == {"state": "state/next"}
    ones = np.ones((1, 4), np.float32)
    assert [float(y[0, 0]) for y in outputs(graph, [ones, ones, ones])] == [4, 8, 8]


STATES = {
    "no variable": (
        replace(MEMORY, tensors=(*MEMORY.tensors[:4], replace(MEMORY.tensors[4], variable=False), MEMORY.tensors[5])),
        "not a variable tensor",
    ),
    "of another size": (
        replace(MEMORY, tensors=(*MEMORY.tensors[:4], replace(MEMORY.tensors[4], shape=(1, 5)), MEMORY.tensors[5])),
        "a state (1, 5)",
    ),
    "of another type": (
        replace(
            MEMORY,
            tensors=(*MEMORY.tensors[:4], replace(MEMORY.tensors[4], type=TensorType.INT32), MEMORY.tensors[5]),
        ),
        "types",
    ),
    "of two operators": (replace(MEMORY, ops=(svdf(4, 1), svdf(4, 5))), "others read too"),
    "of no rank": (replace(MEMORY, ops=(svdf(4, 1, rank=0),)), "rank 0"),
    "of a rank that does not divide": (replace(MEMORY, ops=(svdf(4, 1, rank=2),)), "rank 2"),
    "that an operator reads besides": (
        replace(MEMORY, tensors=(*MEMORY.tensors[:5], TensorSpec("z", (1, 6))), ops=(svdf(4, 1), add(4, 4, 5))),
        "others read too",
    ),
}


@pytest.mark.parametrize(("spec", "words"), STATES.values(), ids=STATES)
def test_states_that_cannot_be_are_refused_in_words(spec: ModelSpec, words: str) -> None:
    with pytest.raises(MidgeError, match=words.replace("(", r"\(").replace(")", r"\)")):
        graph_of(spec)
