"""Constants that a .tflite file stores sparse, and old or divided files, which are refused in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers.tflite import import_tflite
from midge.interpreter import interpret
from midge.run.reference import Reference
from unit.importers.model_file import ModelSpec, OpSpec, SparsitySpec, TensorSpec, model_file

X = np.array([[1.0, 10.0, 100.0, 1000.0]], np.float32)
ROWS = SparsitySpec((0, 1), (4, ((0, 2, 2, 3, 4), (0, 3, 1, 2))))
ROW_VALUES = (1.0, 2.0, 3.0, 4.0)
ROW_WEIGHTS = np.array([[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 4, 0]], np.float32)
# Blocks of 2 x 2, of which the first row of blocks has its second, and the second row both.
BLOCKS = SparsitySpec((0, 1, 2, 3), (2, ((0, 1, 3), (1, 0, 1)), 2, 2), blocks=(0, 1))
BLOCK_VALUES = tuple(float(v) for v in range(1, 13))
BLOCK_WEIGHTS = np.array([[0, 0, 1, 2], [0, 0, 3, 4], [5, 6, 9, 10], [7, 8, 11, 12]], np.float32)
COLUMNS = replace(ROWS, order=(1, 0))


def network(sparsity: SparsitySpec, values: tuple[float, ...], shape: tuple[int, ...] = (4, 4)) -> ModelSpec:
    """x times sparse weights, which DENSIFY hands on, as the converter writes it."""
    weights = TensorSpec("w", shape, data=np.array(values, "<f4").tobytes(), sparsity=sparsity)
    dense = TensorSpec("dense", shape)
    layer = OpSpec(BuiltinOperator.FULLY_CONNECTED, (0, 3, -1), (1,), BuiltinOptions.FullyConnectedOptions)
    ops = (OpSpec(BuiltinOperator.DENSIFY, (2,), (3,), BuiltinOptions.DensifyOptions), layer)
    return ModelSpec((TensorSpec("x", (1, 4)), TensorSpec("y", (1, shape[0])), weights, dense), ops)


@pytest.mark.parametrize("kind", [1, 2, 3])
@pytest.mark.parametrize(
    ("sparsity", "values", "weights"),
    [
        (ROWS, ROW_VALUES, ROW_WEIGHTS),
        (COLUMNS, ROW_VALUES, ROW_WEIGHTS.T),
        (BLOCKS, BLOCK_VALUES, BLOCK_WEIGHTS),
    ],
)
def test_sparse_weights_are_dense_in_the_graph(
    kind: int,
    sparsity: SparsitySpec,
    values: tuple[float, ...],
    weights: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
) -> None:
    data = model_file(network(replace(sparsity, kind=kind), values))
    graph = import_tflite(data, "net")
    np.testing.assert_array_equal(graph.tensors["w"].data, weights)
    with Reference(data) as reference:
        np.testing.assert_array_equal(interpret(graph, [X]), reference.run([X]))


FAULTS = {
    "values that are too few": (network(ROWS, ROW_VALUES[:3]), "12 bytes for 4 values"),
    "a coordinate outside": (
        network(replace(ROWS, levels=(4, ((0, 2, 2, 3, 4), (0, 4, 1, 2)))), ROW_VALUES),
        "beyond 4",
    ),
    "one below 0": (network(replace(ROWS, levels=(4, ((0, 2, 2, 3, 4), (-1, 3, 1, 2)))), ROW_VALUES), "beyond 4"),
    "a place twice": (network(replace(ROWS, levels=(4, ((0, 2, 2, 3, 4), (3, 3, 1, 2)))), ROW_VALUES), "do not rise"),
    "segments that fall": (network(replace(ROWS, levels=(4, ((0, 3, 2, 3, 4), (0, 3, 1, 2)))), ROW_VALUES), "segments"),
    "too few segments": (network(replace(ROWS, levels=(4, ((0, 4), (0, 1, 2, 3)))), ROW_VALUES), "2 segments for 4"),
    "a level too many": (network(replace(ROWS, levels=(4, *ROWS.levels)), ROW_VALUES), "levels"),
    "a dimension twice": (network(replace(ROWS, order=(0, 0)), ROW_VALUES), "levels"),
    "a size of its own": (network(replace(ROWS, levels=(5, ROWS.levels[1])), ROW_VALUES), "5 coordinates"),
    "blocks that do not fit": (network(BLOCKS, BLOCK_VALUES, (4, 3)), "do not divide"),
    "blocks of nothing": (network(replace(BLOCKS, levels=(2, BLOCKS.levels[1], 0, 2)), BLOCK_VALUES), "do not divide"),
    "what becomes huge": (network(replace(ROWS, levels=(1 << 22, ((0,), ()))), (1.0,), (1 << 22, 4)), "when it is"),
}


@pytest.mark.parametrize(("spec", "words"), FAULTS.values(), ids=FAULTS)
def test_a_contradiction_of_sparse_weights_is_a_clear_error(spec: ModelSpec, words: str) -> None:
    with pytest.raises((ModelFileError, UnsupportedModelError), match=words) as caught:
        import_tflite(model_file(spec), "net")
    assert caught.value.hint


def test_a_sparse_tensor_without_values_is_refused() -> None:
    spec = network(ROWS, ROW_VALUES)
    tensors = (*spec.tensors[:2], replace(spec.tensors[2], data=None), spec.tensors[3])
    with pytest.raises(UnsupportedModelError, match="no constant"):
        import_tflite(model_file(replace(spec, tensors=tensors)), "net")


PLAIN = ModelSpec((TensorSpec("x", (1, 4)), TensorSpec("y", (1, 4))), (OpSpec(BuiltinOperator.RELU, (0,), (1,)),))


def test_an_older_schema_version_is_refused_by_its_name() -> None:
    with pytest.raises(UnsupportedModelError, match="schema version 2"):
        import_tflite(model_file(replace(PLAIN, version=2)), "net")
    data = model_file(PLAIN)
    with pytest.raises(ModelFileError, match="older schema version"):
        import_tflite(data[:4] + b"TFL2" + data[8:], "net")


def test_control_flow_between_subgraphs_is_refused_as_such() -> None:
    loop = OpSpec(BuiltinOperator.WHILE, (0,), (1,), BuiltinOptions.WhileOptions)
    with pytest.raises(UnsupportedModelError, match="runs other subgraphs") as caught:
        import_tflite(model_file(replace(PLAIN, ops=(loop,), others=(PLAIN, PLAIN))), "net")
    assert "unroll" in caught.value.message
