"""ONNX's functions that are made of a few operators each: waves, gates, remainders, averages of tensors."""

from __future__ import annotations

import numpy as np

from midge.ir.graph import NO_CLAMP, Op
from midge.ir.tensor import DType, Tensor
from midge.ops.abs import Abs
from midge.ops.add import Add
from midge.ops.cos import Cos
from midge.ops.div import Div
from midge.ops.elu import Elu
from midge.ops.floor_mod import FloorMod
from midge.ops.formats import UnsupportedOp
from midge.ops.logistic import Logistic
from midge.ops.mul import Mul
from midge.ops.not_equal import NotEqual
from midge.ops.onnx_nodes import OnnxNode, OnnxReader
from midge.ops.onnx_plain_integers import on_whole
from midge.ops.sin import Sin
from midge.ops.sub import Sub


def _number(node: OnnxNode, role: str, value: float) -> Tensor:
    return node.new_constant(role, np.array(value, np.float32))


def _two(node: OnnxNode, kind: type[Op], x: Tensor, y: Tensor, role: str, integers: bool = False) -> Tensor:
    return node.add(kind, [x, y], role, integers=integers, clamp=NO_CLAMP)


def _tan(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    return [_two(node, Div, node.add(Sin, [x], "sin"), node.add(Cos, [x], "cos"), "")]


def _celu(node: OnnxNode) -> list[Tensor]:
    """alpha * ELU(x / alpha), which is x where that is positive."""
    alpha = float(node.attributes.get("alpha", 1.0))
    if alpha <= 0:
        raise UnsupportedOp(f"alpha = {alpha:g}", "export with a positive one")
    inside = _two(node, Div, node.tensor(0), _number(node, "alpha", alpha), "inside")
    return [_two(node, Mul, node.add(Elu, [inside], "elu"), _number(node, "factor", alpha), "")]


def _softsign(node: OnnxNode) -> list[Tensor]:
    x = node.tensor(0)
    above = _two(node, Add, node.add(Abs, [x], "size"), _number(node, "one", 1.0), "above")
    return [_two(node, Div, x, above, "")]


def _swish(node: OnnxNode) -> list[Tensor]:
    x, alpha = node.tensor(0), float(node.attributes.get("alpha", 1.0))
    scaled = x if alpha == 1 else _two(node, Mul, x, _number(node, "alpha", alpha), "scaled")
    return [_two(node, Mul, x, node.add(Logistic, [scaled], "gate"), "")]


def _mean(node: OnnxNode) -> list[Tensor]:
    total, *others = (node.tensor(i) for i in range(len(node.inputs)))
    for place, other in enumerate(others):
        total = _two(node, Add, total, other, f"sum{place}")
    return [_two(node, Mul, total, _number(node, "share", 1 / len(node.inputs)), "")]


def _mod(node: OnnxNode) -> list[Tensor]:
    """Of whole numbers: with the sign of the divisor, or with `fmod` that of the dividend."""
    x, y = node.tensor(0), node.tensor(1)
    if not node.attributes.get("fmod", 0):
        return [node.add(FloorMod, [x, y], "", integers=True)]
    whole = _two(node, Mul, _two(node, Div, x, y, "quotient", True), y, "whole", True)
    return [_two(node, Sub, x, whole, "", True)]


def _refuse_floats(node: OnnxNode) -> list[Tensor]:
    raise UnsupportedOp(f"a remainder of {node.tensor(0).dtype.value}", "take remainders of int32 or int64")


def _xor(node: OnnxNode) -> list[Tensor]:
    return [node.add(NotEqual, [node.tensor(0), node.tensor(1)], "", integers=True, dtype=DType.BOOL)]


ONNX: dict[str, OnnxReader] = {
    "Celu": _celu,
    "Mean": _mean,
    "Mod": on_whole(_mod, _refuse_floats),
    "Softsign": _softsign,
    "Swish": _swish,
    "Tan": _tan,
    "Xor": _xor,
}
