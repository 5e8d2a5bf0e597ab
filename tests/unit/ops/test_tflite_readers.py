"""What the TFLite readers make of odd spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from midge.ir.graph import Op
from midge.ir.tensor import DType, Tensor
from midge.ops import readers
from midge.ops.concatenation import Concatenation
from midge.ops.conv2d import Conv2D
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.mean import Mean

_WINDOW = {"StrideH": 2, "StrideW": 2, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 0}


def _float(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, DType.F32)


def _constant(name: str, values: Any) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, DType.S32, None, data)


def _read(code: str, inputs: list[Tensor | None], **attributes: Any) -> Op:
    return readers("TFLITE")[code](SourceOp(code, "layer", tuple(inputs), (_float("y", 1),), attributes))


def test_same_padding_puts_the_odd_zero_after() -> None:
    conv = _read("CONV_2D", [_float("x", 1, 6, 5, 1), _float("w", 1, 3, 2, 1)], **_WINDOW)
    assert isinstance(conv, Conv2D)
    assert conv.padding == ((0, 1), (0, 1))


def test_constants_that_become_fields_are_no_inputs() -> None:
    assert _read("MEAN", [_float("x", 1, 2, 3), _constant("axes", [-1, 1])], KeepDims=True).inputs == ("x",)
    assert _read("PAD", [_float("x", 1, 2), _constant("paddings", [[0, 0], [1, 2]])]).inputs == ("x",)
    assert _read("RESHAPE", [_float("x", 1, 1), _constant("shape", [1])]).inputs == ("x",)


def test_negative_axes_count_from_the_end_and_none_counts_twice() -> None:
    mean = _read("MEAN", [_float("x", 1, 2, 3), _constant("axes", [-1, 2, 0])], KeepDims=False)
    assert isinstance(mean, Mean)
    assert mean.axes == (0, 2)
    joined = _read("CONCATENATION", [_float("x", 1, 2, 3)], Axis=-1)
    assert isinstance(joined, Concatenation)
    assert joined.axis == 2


def test_an_absent_bias_is_left_out() -> None:
    assert _read("FULLY_CONNECTED", [_float("x", 1, 2), _float("w", 3, 2), None]).inputs == ("x", "w")


@pytest.mark.parametrize(
    ("code", "inputs", "attributes", "reason"),
    [
        ("CONV_2D", [_float("x", 1, 2, 2, 1), None], _WINDOW, "input 1 is missing"),
        ("CONV_2D", [_float("x", 2, 2), _float("w", 1, 1, 1, 1)], _WINDOW, "not 4 dimensions"),
        ("CONV_2D", [_float("x", 1, 2, 2, 1), _float("w", 1, 1, 1, 1)], {**_WINDOW, "StrideH": 0}, "not positive"),
        ("CONV_2D", [_float("x", 1, 2, 2, 1), _float("w", 1, 1, 1, 1)], {**_WINDOW, "Padding": 7}, "padding 7"),
        ("CONV_2D", [_float("x", 1, 2, 2, 1), _float("w", 1, 1, 1, 1)], {}, "option StrideH is missing"),
        ("DEPTHWISE_CONV_2D", [_float("x", 1, 2, 2, 1), _float("w", 1)], _WINDOW, "not 4 dimensions"),
        ("FULLY_CONNECTED", [_float("x", 1, 2), _float("w", 3, 2)], {"WeightsFormat": 1}, "shuffled"),
        ("AVERAGE_POOL_2D", [_float("x", 2, 2)], {**_WINDOW, "FilterHeight": 1, "FilterWidth": 1}, "not 4 dimensions"),
        ("MAX_POOL_2D", [_float("x", 1, 2, 2, 1)], {**_WINDOW, "FilterHeight": 0, "FilterWidth": 1}, "not positive"),
        ("ADD", [_float("x", 1)], {}, "input 1 is missing"),
        ("ADD", [_float("x", 1)] * 3, {}, "3 inputs instead of 2"),
        ("MUL", [_float("x", 1)] * 2, {"FusedActivationFunction": 4}, "fused activation 4"),
        ("CONCATENATION", [_float("x", 1)], {"Axis": 0, "FusedActivationFunction": 1}, "fused activation"),
        ("CONCATENATION", [_float("x", 1)], {"Axis": 1}, "axis 1"),
        ("MEAN", [_float("x", 1, 2), _float("axes", 1)], {}, "computed at run time"),
        ("MEAN", [_float("x", 1, 2), _constant("axes", [2])], {}, "axis 2"),
        ("PAD", [_float("x", 1, 2), _constant("paddings", [[0, 0]])], {}, "paddings"),
        ("PAD", [_float("x", 1), _constant("paddings", [[0, -1]])], {}, "paddings"),
        ("PAD", [_float("x", 1), _float("paddings", 1, 2)], {}, "computed at run time"),
        ("SOFTMAX", [_float("x", 1)], {}, "option Beta is missing"),
        ("RELU", [_float("x", 1)] * 2, {}, "2 inputs instead of 1"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_would_help(
    code: str, inputs: list[Tensor | None], attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnsupportedOp) as raised:
        _read(code, inputs, **attributes)
    assert reason in raised.value.reason
    assert raised.value.remedy
