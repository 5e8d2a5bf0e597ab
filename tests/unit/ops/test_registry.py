"""Operators are found by being in their folder, and say how midge quantizes them."""

from __future__ import annotations

import pytest

from midge.ir.graph import NO_CLAMP, Op
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops import operators, readers
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.logistic import Logistic
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.pad import Pad
from midge.ops.reshape import Reshape
from midge.ops.softmax import Softmax
from midge.ops.tanh import Tanh

_NAMES = {"name": "layer", "inputs": (), "outputs": ()}
_POOL = {"kernel": (1, 1), "stride": (1, 1), "padding": ((0, 0), (0, 0)), "clamp": NO_CLAMP}


def test_every_operator_is_found_under_the_name_of_its_module() -> None:
    assert operators()["depthwise_conv2d"].__name__ == "DepthwiseConv2D"
    assert set(operators()) >= {"conv2d", "fully_connected", "softmax", "lookup"}


def test_every_operator_that_a_file_can_have_has_a_reader() -> None:
    needed = """CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED AVERAGE_POOL_2D MAX_POOL_2D MEAN ADD SUB MUL CONCATENATION PAD
    RESHAPE SQUEEZE SOFTMAX LOGISTIC TANH RELU RELU6 LEAKY_RELU QUANTIZE DEQUANTIZE"""
    assert set(readers("TFLITE")) >= set(needed.split())


def test_no_operator_answers_to_a_format_that_nobody_spells() -> None:
    assert readers("UNKNOWN") == {}


@pytest.mark.parametrize("name", ["conv2d", "depthwise_conv2d", "fully_connected"])
def test_weights_and_bias_are_known(name: str) -> None:
    kind = operators()[name]
    assert dict(kind.weight_axis) == {1: 3 if name == "depthwise_conv2d" else 0}
    assert kind.bias_input == 2


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (AveragePool2D(**_NAMES, **_POOL), "same"),
        (MaxPool2D(**_NAMES, **_POOL), "same"),
        (Pad(**_NAMES, paddings=()), "same"),
        (Reshape(**_NAMES, shape=()), "same"),
        (Softmax(**_NAMES, beta=1.0), Quant.per_tensor(1 / 256, -128)),
        (Logistic(**_NAMES), Quant.per_tensor(1 / 256, -128)),
        (Tanh(**_NAMES), Quant.per_tensor(1 / 128, 0)),
    ],
)
def test_outputs_whose_range_is_known_are_not_observed(op: Op, expected: object) -> None:
    assert op.output_quant([Tensor("x", (1,), DType.F32)]) == expected


def test_concatenated_inputs_share_one_quantization() -> None:
    assert operators()["concatenation"].inputs_share_quant
