"""What layers and tensors are called."""

from __future__ import annotations

import pytest

from midge.importers.names import layer_name, unique_names


@pytest.mark.parametrize(
    ("tensor", "code", "name"),
    [
        (
            "f/activation/Relu;f/batch_normalization/FusedBatchNormV3;f/conv2d/BiasAdd/ReadVariableOp/resource",
            "CONV_2D",
            "conv2d",
        ),
        ("m/act/Relu;m/depthwise_conv2d_3/depthwise;m/conv2d/Conv2D", "CONV_2D", "conv2d"),
        ("m/depthwise_conv2d_2/depthwise1", "DEPTHWISE_CONV_2D", "depthwise_conv2d_2"),
        ("f/activation/Relu;f/dense/BiasAdd", "FULLY_CONNECTED", "dense"),
        ("model/activation_2/Relu;model/add/add", "ADD", "add"),
        ("Net/Net/Conv2d_1_pointwise/Relu6", "CONV_2D", "Conv2d_1_pointwise"),
        ("StatefulPartitionedCall:0", "SOFTMAX", "softmax"),
        ("Identity", "FULLY_CONNECTED", "fully_connected"),
        ("", "MEAN", "mean"),
        (";;//;", "MEAN", "mean"),
        ("sequential/GAP/Mean", "MEAN", "GAP"),
    ],
)
def test_a_layer_is_called_by_the_part_of_its_path_that_says_most(tensor: str, code: str, name: str) -> None:
    assert layer_name(tensor, code) == name


def test_names_stay_distinct_even_when_they_look_numbered_already() -> None:
    assert unique_names(["a", "a_2", "a", "a", ""]) == ("a", "a_2", "a_3", "a_4", "tensor_4")


def test_very_many_equal_names_take_no_time() -> None:
    assert len(set(unique_names(["same"] * 50_000))) == 50_000


def test_names_cannot_end_a_comment_or_drive_a_terminal() -> None:
    (name,) = unique_names(['*/ system("x"); /*\x1b[2J\\'])
    assert not set(name) & set('*"\\\x1b ()')
