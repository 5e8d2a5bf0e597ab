"""Constants that a .tflite file stores in four bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.TensorType import TensorType

from midge.errors import MidgeError
from midge.importers.tflite import import_tflite
from midge.interpreter import interpret
from midge.run.reference import Reference
from unit.importers.model_file import ModelSpec, OpSpec, TensorSpec, model_file

WEIGHTS = np.array([[-8, 7, 0, 3, -1], [1, -7, 5, -4, 2], [6, -2, -3, 4, -6]], np.int8)


def packed(values: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> bytes:
    """Two values in a byte, the first in the low bits."""
    digits = [int(v) % 16 for v in values.reshape(-1)] + [0]
    return bytes(low + 16 * high for low, high in zip(digits[0::2], digits[1::2], strict=False))


def network(weights: TensorSpec) -> ModelSpec:
    """A fully connected layer of int8 activations."""
    x = TensorSpec("x", (1, 5), TensorType.INT8, scales=(0.5,), zero_points=(3,))
    y = TensorSpec("y", (1, 3), TensorType.INT8, scales=(2.0,), zero_points=(-5,))
    layer = OpSpec(BuiltinOperator.FULLY_CONNECTED, (0, 2, -1), (1,), BuiltinOptions.FullyConnectedOptions)
    return ModelSpec((x, y, weights), (layer,))


NARROW = TensorSpec("w", (3, 5), TensorType.INT4, data=packed(WEIGHTS), scales=(0.25,), zero_points=(0,))


def test_weights_of_four_bits_are_the_int8_that_they_mean() -> None:
    data = model_file(network(NARROW))
    graph = import_tflite(data, "net")
    np.testing.assert_array_equal(graph.tensors["w"].data, WEIGHTS)
    x = np.array([[-128, 127, 3, 50, -77]], np.int8)
    with Reference(data) as reference:
        np.testing.assert_array_equal(interpret(graph, [x]), reference.run([x]))


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        (replace(NARROW, data=packed(WEIGHTS)[:-1]), "four bits"),
        (replace(NARROW, data=None), "activations of four bits"),
    ],
)
def test_what_is_no_constant_of_four_bits_is_refused(weights: TensorSpec, word: str) -> None:
    with pytest.raises(MidgeError, match=word):
        import_tflite(model_file(network(weights)), "net")
