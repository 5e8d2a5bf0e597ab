"""What the passes on the deployed graph do; that outputs stay is tested over drawn graphs."""

from __future__ import annotations

from math import inf

import numpy as np

from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import Quant
from midge.ops.add import Add
from midge.ops.leaky_relu import LeakyRelu
from midge.ops.logistic import OUTPUT_QUANT, Logistic
from midge.ops.mul import Mul
from midge.ops.relu import Relu
from midge.passes import OPTIMIZE, merge_tables, run_passes, tables_for_unary
from midge.passes.value_table import ALL_VALUES
from small_graphs import floats, graph, int8s

Q = Quant.per_tensor(0.05, -7)
EVERY_VALUE = ALL_VALUES.reshape(1, 256)


def two_logistics() -> Graph:
    return graph(
        ["x"],
        ["y", "z"],
        [int8s("x", (1, 256), Q), int8s("y", (1, 256), OUTPUT_QUANT), int8s("z", (1, 256), OUTPUT_QUANT)],
        [
            Logistic(name="one", inputs=("x",), outputs=("y",)),
            Logistic(name="two", inputs=("x",), outputs=("z",)),
        ],
    )


def test_a_unary_operator_becomes_the_table_of_its_definition() -> None:
    g = two_logistics()
    made = tables_for_unary(g)
    assert [op.kind for op in made.ops] == ["lookup", "lookup"]
    table = np.asarray(made.tensors[made.ops[0].inputs[1]].data)
    real = np.minimum(1 / (1 + np.exp(-(np.arange(-128, 128) + 7) * 0.05)), 255 / 256)
    assert np.abs((table.astype(int) + 128) / 256 - real).max() <= 0.51 / 256
    np.testing.assert_array_equal(interpret(made, [EVERY_VALUE])[0], table.reshape(1, 256))
    np.testing.assert_array_equal(interpret(g, [EVERY_VALUE])[0], table.reshape(1, 256))


def test_equal_tables_are_stored_once() -> None:
    first, second = tables_for_unary(two_logistics()).ops
    assert first.inputs == second.inputs


def test_tables_after_tables_become_one() -> None:
    g = graph(
        ["x"],
        ["y"],
        [int8s("x", (1, 256), Q), int8s("a", (1, 256), Q), int8s("b", (1, 256), Q), int8s("y", (1, 256), OUTPUT_QUANT)],
        [
            Relu(name="relu", inputs=("x",), outputs=("a",), clamp=(0.0, inf)),
            LeakyRelu(name="leaky", inputs=("a",), outputs=("b",), alpha=0.5),
            Logistic(name="logistic", inputs=("b",), outputs=("y",)),
        ],
    )
    made = run_passes(g, OPTIMIZE)
    (op,) = made.ops
    assert (op.kind, op.name, len(made.tensors)) == ("lookup", "logistic", 3)
    np.testing.assert_array_equal(interpret(made, [EVERY_VALUE])[0], interpret(g, [EVERY_VALUE])[0])


def test_a_table_whose_result_is_needed_stays() -> None:
    g = graph(
        ["x"],
        ["a", "y"],
        [int8s("x", (1, 256), Q), int8s("a", (1, 256), Q), int8s("y", (1, 256), OUTPUT_QUANT)],
        [
            Relu(name="relu", inputs=("x",), outputs=("a",), clamp=(0.0, inf)),
            Logistic(name="logistic", inputs=("a",), outputs=("y",)),
        ],
    )
    assert [op.kind for op in merge_tables(tables_for_unary(g)).ops] == ["lookup", "lookup"]


def test_a_product_with_one_number_is_a_table_and_with_many_is_not() -> None:
    def product(values: list[int]) -> Graph:
        return graph(
            ["x"],
            ["y"],
            [
                int8s("x", (1, 256), Q),
                int8s("k", (len(values),), Q, np.array(values)),
                int8s("y", (1, 256), Quant.per_tensor(0.2, 0)),
            ],
            [Mul(name="mul", inputs=("x", "k"), outputs=("y",), clamp=NO_CLAMP)],
        )

    assert [op.kind for op in tables_for_unary(product([9])).ops] == ["lookup"]
    assert [op.kind for op in tables_for_unary(product([9] * 256)).ops] == ["mul"]


def test_a_sum_of_two_activations_is_no_table() -> None:
    g = graph(
        ["x", "k"],
        ["y"],
        [int8s("x", (1, 4), Q), int8s("k", (1, 4), Q), int8s("y", (1, 4), Q)],
        [Add(name="add", inputs=("x", "k"), outputs=("y",), clamp=NO_CLAMP)],
    )
    assert [op.kind for op in tables_for_unary(g).ops] == ["add"]


def test_float_operators_are_left_alone() -> None:
    g = graph(
        ["x"],
        ["y"],
        [floats("x", (1, 4)), floats("y", (1, 4))],
        [Logistic(name="logistic", inputs=("x",), outputs=("y",))],
    )
    assert run_passes(g, OPTIMIZE).ops == g.ops
