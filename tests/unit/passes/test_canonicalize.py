"""What each canonicalizing pass does to the graph; that outputs stay is tested over drawn graphs."""

from __future__ import annotations

from functools import partial
from math import inf

import numpy as np
import pytest

from midge.errors import InternalError
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Clamp, Graph
from midge.ir.tensor import Quant
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.mul import Mul
from midge.ops.pad import Pad
from midge.ops.quantize import Quantize
from midge.ops.relu import Relu
from midge.ops.reshape import Reshape
from midge.passes import (
    CANONICALIZE,
    drop_dead,
    drop_identities,
    fold_constants,
    fuse_activations,
    merge_views,
    run_passes,
)
from small_graphs import NO_PADDING, floats, graph, int8s, pointwise

RELU: Clamp = (0.0, inf)
RELU6: Clamp = (0.0, 6.0)
Q = Quant.per_tensor(0.1, 3)


def kinds(g: Graph) -> list[str]:
    return [op.kind for op in g.ops]


def test_operators_on_constants_become_constants() -> None:
    g = graph(
        ["x"],
        ["y"],
        [
            floats("x", (1, 2)),
            floats("a", (2,), np.array([1, 2])),
            floats("b", (2,), np.array([3, 4])),
            floats("c", (2,)),
            floats("y", (1, 2)),
        ],
        [
            Mul(name="product", inputs=("a", "b"), outputs=("c",), clamp=NO_CLAMP),
            Add(name="sum", inputs=("x", "c"), outputs=("y",), clamp=NO_CLAMP),
        ],
    )
    folded = fold_constants(g)
    assert kinds(folded) == ["add"]
    np.testing.assert_array_equal(np.asarray(folded.tensors["c"].data), [3, 8])
    assert set(folded.tensors) == {"x", "c", "y"}


def test_a_constant_over_the_limit_is_not_folded() -> None:
    g = graph(
        [],
        ["y"],
        [floats("a", (2,), np.array([1, 2])), floats("b", (2,)), floats("y", (2,))],
        [
            Mul(name="square", inputs=("a", "a"), outputs=("b",), clamp=NO_CLAMP),
            Relu(name="relu", inputs=("b",), outputs=("y",), clamp=RELU),
        ],
    )
    assert kinds(fold_constants(g)) == ["relu"]
    assert kinds(fold_constants(g, limit_bytes=7)) == ["mul", "relu"]


def test_an_output_of_the_network_is_computed_even_from_constants() -> None:
    g = graph(
        [],
        ["y"],
        [floats("a", (2,), np.array([1, 2])), floats("y", (2,))],
        [Relu(name="relu", inputs=("a",), outputs=("y",), clamp=RELU)],
    )
    assert kinds(fold_constants(g)) == ["relu"]


def conv_then_relus(*clamps: Clamp, second_output: bool = False) -> Graph:
    """A convolution with the first clamp, and activations with the others behind it."""
    weights = np.random.default_rng(0).normal(size=(2, 1, 1, 2))
    names = [f"t{i}" for i in range(len(clamps))]
    tensors = [floats("x", (1, 2, 2, 2)), floats("w", (2, 1, 1, 2), weights), *(floats(n, (1, 2, 2, 2)) for n in names)]
    relus = [
        Relu(name=f"relu{i}", inputs=(names[i - 1],), outputs=(names[i],), clamp=clamps[i])
        for i in range(1, len(clamps))
    ]
    outputs = [names[-1], *([names[0]] if second_output else [])]
    return graph(["x"], outputs, tensors, [pointwise("conv", ("x", "w"), "t0", clamps[0]), *relus])


@pytest.mark.parametrize(
    ("clamps", "together"),
    [
        ((NO_CLAMP, RELU), RELU),
        ((RELU, RELU6), RELU6),
        ((NO_CLAMP, RELU6, (-1.0, 1.0)), (0.0, 1.0)),
    ],
)
def test_float_activations_become_the_clamp_of_the_operator_before(clamps: tuple[Clamp, ...], together: Clamp) -> None:
    g = conv_then_relus(*clamps)
    fused = fuse_activations(g)
    (op,) = fused.ops
    assert op.name == "conv"
    assert getattr(op, "clamp", None) == together
    x = np.random.default_rng(1).normal(size=(1, 2, 2, 2)).astype(np.float32) * 5
    np.testing.assert_array_equal(interpret(fused, [x])[0], interpret(g, [x])[0])


def test_an_activation_stays_when_the_value_before_it_is_needed_too() -> None:
    assert kinds(fuse_activations(conv_then_relus(NO_CLAMP, RELU, second_output=True))) == ["conv2d", "relu"]


def test_clamps_that_do_not_meet_stay_apart() -> None:
    assert kinds(fuse_activations(conv_then_relus((2.0, 3.0), (-1.0, 1.0)))) == ["conv2d", "relu"]


def pool_then_relu(after: Quant) -> Graph:
    pool = MaxPool2D(
        name="pool", inputs=("x",), outputs=("t",), kernel=(2, 2), stride=(2, 2), padding=NO_PADDING, clamp=NO_CLAMP
    )
    tensors = [int8s("x", (1, 4, 4, 1), Q), int8s("t", (1, 2, 2, 1), Q), int8s("y", (1, 2, 2, 1), after)]
    return graph(["x"], ["y"], tensors, [pool, Relu(name="relu", inputs=("t",), outputs=("y",), clamp=RELU)])


def test_an_integer_activation_is_fused_only_where_it_does_not_rescale() -> None:
    assert kinds(fuse_activations(pool_then_relu(Q))) == ["max_pool2d"]
    assert kinds(fuse_activations(pool_then_relu(Quant.per_tensor(0.1, 4)))) == ["max_pool2d", "relu"]
    assert kinds(fuse_activations(pool_then_relu(Quant.per_tensor(0.05, 3)))) == ["max_pool2d", "relu"]


def test_operators_that_do_nothing_go() -> None:
    names = ["x", "a", "b", "c", "d", "e"]
    g = graph(
        ["x"],
        ["y"],
        [*(int8s(n, (1, 2, 2, 1), Q) for n in names), int8s("y", (1, 2, 2, 1), Quant.per_tensor(0.2, 0))],
        [
            Reshape(name="reshape", inputs=("x",), outputs=("a",), shape=(1, 2, 2, 1)),
            Quantize(name="quantize", inputs=("a",), outputs=("b",)),
            Pad(name="pad", inputs=("b",), outputs=("c",), paddings=((0, 0),) * 4),
            Concatenation(name="concatenate", inputs=("c",), outputs=("d",), axis=0),
            Relu(name="relu", inputs=("d",), outputs=("e",), clamp=NO_CLAMP),
            Quantize(name="rescale", inputs=("e",), outputs=("y",)),
        ],
    )
    dropped = drop_identities(g)
    assert [(op.name, op.inputs) for op in dropped.ops] == [("rescale", ("x",))]
    assert set(dropped.tensors) == {"x", "y"}


def test_an_activation_behind_a_narrower_clamp_does_nothing() -> None:
    g = conv_then_relus(RELU6, RELU, second_output=True)
    assert kinds(drop_identities(g)) == ["conv2d", "relu"], "both values are outputs of the network"
    assert kinds(drop_identities(conv_then_relus(RELU6, RELU, NO_CLAMP))) == ["conv2d"]
    assert kinds(drop_identities(conv_then_relus(RELU, RELU6))) == ["conv2d", "relu"]


def test_outputs_keep_their_names_when_the_last_operator_goes() -> None:
    dropped = drop_identities(conv_then_relus(NO_CLAMP, NO_CLAMP))
    assert dropped.outputs == ("t1",)
    assert [op.outputs for op in dropped.ops] == [("t1",)]


def test_what_copies_an_input_to_an_output_stays() -> None:
    g = graph(
        ["x"],
        ["y"],
        [floats("x", (2,)), floats("y", (2,))],
        [Reshape(name="reshape", inputs=("x",), outputs=("y",), shape=(2,))],
    )
    assert kinds(drop_identities(g)) == ["reshape"]


def test_a_view_of_a_view_reads_the_first_tensor() -> None:
    g = graph(
        ["x"],
        ["y"],
        [floats("x", (2, 6)), floats("a", (12,)), floats("y", (3, 4))],
        [
            Reshape(name="flat", inputs=("x",), outputs=("a",), shape=(12,)),
            Reshape(name="fold", inputs=("a",), outputs=("y",), shape=(3, 4)),
        ],
    )
    assert [(op.name, op.inputs) for op in drop_dead(merge_views(g)).ops] == [("fold", ("x",))]


def test_unused_operators_go_and_unused_inputs_stay() -> None:
    g = graph(
        ["x", "unused"],
        ["y"],
        [*(floats(n, (2,)) for n in ("x", "unused", "a", "b", "y"))],
        [
            Relu(name="one", inputs=("x",), outputs=("a",), clamp=RELU),
            Relu(name="two", inputs=("a",), outputs=("b",), clamp=RELU),
            Relu(name="three", inputs=("x",), outputs=("y",), clamp=RELU),
        ],
    )
    kept = drop_dead(g)
    assert [op.name for op in kept.ops] == ["three"]
    assert set(kept.tensors) == {"x", "unused", "y"}


def test_passes_are_verified_and_named() -> None:
    g = conv_then_relus(NO_CLAMP, RELU)
    seen: list[tuple[str, int]] = []
    run_passes(
        g, [partial(fold_constants, limit_bytes=1), fuse_activations], after=lambda n, r: seen.append((n, len(r.ops)))
    )
    assert seen == [("fold_constants", 2), ("fuse_activations", 1)]
    with pytest.raises(InternalError, match="never written"):
        run_passes(g, [lambda whole: whole.with_ops(())])


def test_canonical_graphs_stay_as_they_are() -> None:
    once = run_passes(conv_then_relus(NO_CLAMP, RELU, RELU6), CANONICALIZE)
    twice = run_passes(once, CANONICALIZE)
    assert (twice.ops, set(twice.tensors)) == (once.ops, set(once.tensors))
