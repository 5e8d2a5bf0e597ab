"""ONNX's functions of one, two or more values, element by element; those midge has not are made of those it has."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from midge.ir.graph import NO_CLAMP, Op
from midge.ir.tensor import DType, Tensor
from midge.ops.abs import Abs
from midge.ops.add import Add
from midge.ops.cast import Cast
from midge.ops.div import Div
from midge.ops.elu import Elu
from midge.ops.equal import Equal
from midge.ops.exp import Exp
from midge.ops.formats import UnsupportedOp
from midge.ops.gelu import Gelu
from midge.ops.greater import Greater
from midge.ops.greater_equal import GreaterEqual
from midge.ops.hard_swish import HardSwish
from midge.ops.less import Less
from midge.ops.less_equal import LessEqual
from midge.ops.log import Log
from midge.ops.logical_and import LogicalAnd
from midge.ops.logical_not import LogicalNot
from midge.ops.logical_or import LogicalOr
from midge.ops.logistic import Logistic
from midge.ops.maximum import Maximum
from midge.ops.minimum import Minimum
from midge.ops.mul import Mul
from midge.ops.neg import Neg
from midge.ops.onnx_nodes import OnnxNode, OnnxReader, binary, unary
from midge.ops.onnx_plain_integers import WHOLE, as_float, as_whole, exact_in_float, on_whole
from midge.ops.pow import Pow
from midge.ops.prelu import Prelu
from midge.ops.relu import Relu
from midge.ops.select_v2 import SelectV2
from midge.ops.sign import Sign
from midge.ops.sqrt import Sqrt
from midge.ops.square import Square
from midge.ops.sub import Sub
from midge.ops.tanh import Tanh


def _two(node: OnnxNode, kind: type[Op], x: Tensor, y: Tensor | float, role: str = "") -> Tensor:
    """x and y, a tensor or a number, in an operator with a clamp."""
    other = y if isinstance(y, Tensor) else node.new_constant(f"{role or 'y'}_constant", np.array(y, np.float32))
    return node.add(kind, [x, other], role, clamp=NO_CLAMP)


def _many(kind: type[Op], **fields: Any) -> OnnxReader:
    def read(node: OnnxNode) -> list[Tensor]:
        found, *others = (node.tensor(i) for i in range(len(node.inputs)))
        for place, other in enumerate(others, 1):
            found = node.add(kind, [found, other], "" if place == len(others) else f"part{place}", **fields)
        return [found]

    return read


def _arithmetic(kind: type[Op]) -> OnnxReader:
    """Floats, plain values of 8 bits, and whole numbers."""
    whole = binary(kind, clamp=NO_CLAMP, integers=True)
    return on_whole(whole, exact_in_float(binary(kind, clamp=NO_CLAMP)))


def _chosen(kind: type[Op]) -> OnnxReader:
    return on_whole(_many(kind, integers=True), exact_in_float(_many(kind)))


def _compare(kind: type[Op]) -> OnnxReader:
    def read(node: OnnxNode) -> list[Tensor]:
        x, y = node.tensor(0), node.tensor(1)
        return [node.add(kind, [x, y], "", dtype=DType.BOOL, integers=_is_plain(x))]

    return on_whole(read, read)


def _is_plain(x: Tensor) -> bool:
    """Whether ONNX's values are the operator's: not int8, which the operator would take for quantized."""
    return x.dtype in (DType.BOOL, DType.S32)


def _logical(kind: type[Op], count: int) -> OnnxReader:
    return lambda node: [node.add(kind, [node.tensor(i) for i in range(count)], "", integers=True, dtype=DType.BOOL)]


def _where(node: OnnxNode) -> list[Tensor]:
    condition, x, y = (node.tensor(i) for i in range(3))
    if {x.dtype, y.dtype} <= WHOLE:
        x, y = as_whole(node, x, "x"), as_whole(node, y, "y")
    elif {x.dtype, y.dtype} != {DType.F32}:
        raise UnsupportedOp(f"a choice between {x.dtype.value} values", "choose between float32 or int32 values")
    return [node.add(SelectV2, [condition, x, y], "", integers=True, dtype=x.dtype)]


def _elu_of(node: OnnxNode, x: Tensor, alpha: float, gamma: float) -> list[Tensor]:
    """gamma * (x where it is positive, alpha * (e^x - 1) where it is not)."""
    if (alpha, gamma) == (1.0, 1.0):
        return [node.add(Elu, [x], "")]
    above = _two(node, Mul, node.add(Relu, [x], "above", clamp=(0.0, inf)), gamma, "scaled_above")
    elu = node.add(Elu, [node.add(Relu, [x], "below", clamp=(-inf, 0.0))], "elu")
    return [_two(node, Add, above, _two(node, Mul, elu, gamma * alpha, "scaled_below"))]


def _elu(node: OnnxNode) -> list[Tensor]:
    return _elu_of(node, node.tensor(0), float(node.attributes.get("alpha", 1.0)), 1.0)


def _selu(node: OnnxNode) -> list[Tensor]:
    alpha = float(node.attributes.get("alpha", 1.67326319217681884765625))
    return _elu_of(node, node.tensor(0), alpha, float(node.attributes.get("gamma", 1.05070102214813232421875)))


def _softplus_of(node: OnnxNode, x: Tensor, role: str) -> Tensor:
    """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|), which never overflows."""
    small = node.add(Exp, [node.add(Neg, [node.add(Abs, [x], "size")], "minus")], "small")
    rest = node.add(Log, [_two(node, Add, small, 1.0, "plus_one")], "log")
    return _two(node, Add, node.add(Relu, [x], "above", clamp=(0.0, inf)), rest, role)


def _softplus(node: OnnxNode) -> list[Tensor]:
    return [_softplus_of(node, node.tensor(0), "")]


def _mish(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    return [_two(node, Mul, x, node.add(Tanh, [_softplus_of(node, x, "softplus")], "tanh"))]


def _hard_sigmoid(node: OnnxNode) -> list[Tensor]:
    slope = _two(node, Mul, node.tensor(0), float(node.attributes.get("alpha", 0.2)), "slope")
    offset = _two(node, Add, slope, float(node.attributes.get("beta", 0.5)), "offset")
    return [node.add(Relu, [offset], "", clamp=(0.0, 1.0))]


def _thresholded_relu(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    bound = node.new_constant("alpha", np.array(float(node.attributes.get("alpha", 1.0))))
    above = node.add(Greater, [x, bound], "above", dtype=DType.BOOL)
    zero = node.new_constant("zero", np.array(0.0))
    return [node.add(SelectV2, [above, x, zero], "", integers=True, dtype=DType.F32)]


def _gelu(node: OnnxNode) -> list[Tensor]:
    return [node.add(Gelu, [node.tensor(0)], "", approximate=node.attributes.get("approximate", "none") == "tanh")]


def _reciprocal(node: OnnxNode) -> list[Tensor]:
    return [node.add(Div, [node.new_constant("one", np.array(1.0)), node.tensor(0)], "", clamp=NO_CLAMP)]


def _pow(node: OnnxNode) -> list[Tensor]:
    """The base's type decides the result's; a root or square of floats is an operator of its own."""
    x, exponent = node.tensor(0), node.tensor(1)
    if {x.dtype, exponent.dtype} <= WHOLE:
        whole = [as_whole(node, x, "base"), as_whole(node, exponent, "exponent")]
        return [node.add(Pow, whole, "", integers=True)]
    exponent = exponent if exponent.dtype is DType.F32 else as_float(node, exponent, "exponent")
    if x.dtype in WHOLE:
        power = node.add(Pow, [as_float(node, x, "base"), exponent], "power")
        return [node.add(Cast, [power], "", dtype=DType.S32)]
    value = float(exponent.data.reshape(-1)[0]) if exponent.data is not None and exponent.elements == 1 else None
    if value == 1 and len(exponent.shape) <= len(x.shape):
        return [x]
    known = {2.0: Square, 0.5: Sqrt}.get(value or 0.0) if len(exponent.shape) <= len(x.shape) else None
    return [node.add(known, [x], "") if known else node.add(Pow, [x, exponent], "")]


ONNX: dict[str, OnnxReader] = {
    "Abs": unary(Abs),
    "Add": _arithmetic(Add),
    "And": _logical(LogicalAnd, 2),
    "Div": _arithmetic(Div),
    "Elu": _elu,
    "Equal": _compare(Equal),
    "Exp": unary(Exp),
    "Gelu": _gelu,
    "Greater": _compare(Greater),
    "GreaterOrEqual": _compare(GreaterEqual),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": unary(HardSwish),
    "Less": _compare(Less),
    "LessOrEqual": _compare(LessEqual),
    "Log": unary(Log),
    "Max": _chosen(Maximum),
    "Min": _chosen(Minimum),
    "Mish": _mish,
    "Mul": _arithmetic(Mul),
    "Neg": unary(Neg),
    "Not": _logical(LogicalNot, 1),
    "Or": _logical(LogicalOr, 2),
    "PRelu": binary(Prelu),
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "Selu": _selu,
    "Sigmoid": unary(Logistic),
    "Softplus": _softplus,
    "Sign": unary(Sign),
    "Sqrt": unary(Sqrt),
    "Sub": _arithmetic(Sub),
    "Sum": on_whole(_many(Add, clamp=NO_CLAMP, integers=True), _many(Add, clamp=NO_CLAMP)),
    "Tanh": unary(Tanh),
    "ThresholdedRelu": _thresholded_relu,
    "Where": _where,
}
