"""Functions of one or two values, element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from midge.ir.tensor import DType
from midge.train.forms import Form, Layer, Value, clamped

_TYPES = {DType.F32: torch.float32, DType.BOOL: torch.bool}


def _one(function: Callable[[Value], Value]) -> Form:
    return lambda layer, values: [function(values[0])]


def _two(function: Callable[[Value, Value], Value]) -> Form:
    def form(layer: Layer, values: Sequence[Value]) -> list[Value]:
        x, y = aligned(values)
        return [clamped(function(x, y), getattr(layer.op, "clamp", (-float("inf"), float("inf"))))]

    return form


def aligned(values: Sequence[Value]) -> list[Value]:
    """Values with as many axes each: new ones go behind that of the samples, as numpy puts them in front."""
    most = max(v.dim() for v in values)
    return [v.reshape(len(v), *[1] * (most - v.dim()), *v.shape[1:]) for v in values]


def _gelu(layer: Layer, values: Sequence[Value]) -> list[Value]:
    return [F.gelu(values[0], approximate="tanh" if layer.op.approximate else "none")]


def _select(layer: Layer, values: Sequence[Value]) -> list[Value]:
    return [torch.where(*aligned(values))]


def _cast(layer: Layer, values: Sequence[Value]) -> list[Value]:
    return [values[0].to(_TYPES.get(layer.outputs[0].dtype, torch.int64))]


def _bounds(layer: Layer, values: Sequence[Value]) -> list[Value]:
    return [clamped(values[0], layer.op.clamp)]


def _slope(layer: Layer, values: Sequence[Value]) -> list[Value]:
    return [F.leaky_relu(values[0], layer.op.alpha)]


def _prelu(x: Any, slope: Any) -> Any:
    return torch.where(x >= 0, x, x * slope)


FORMS: dict[str, Form] = {
    "abs": _one(torch.abs),
    "add": _two(torch.add),
    "cast": _cast,
    "ceil": _one(torch.ceil),
    "cos": _one(torch.cos),
    "dequantize": _one(lambda x: x),
    "div": _two(torch.div),
    "elu": _one(F.elu),
    "equal": _two(torch.eq),
    "erf": _one(torch.erf),
    "exp": _one(torch.exp),
    "floor": _one(torch.floor),
    "gelu": _gelu,
    "greater": _two(torch.gt),
    "greater_equal": _two(torch.ge),
    "hard_swish": _one(F.hardswish),
    "leaky_relu": _slope,
    "less": _two(torch.lt),
    "less_equal": _two(torch.le),
    "log": _one(torch.log),
    "logical_and": _two(torch.logical_and),
    "logical_not": _one(torch.logical_not),
    "logical_or": _two(torch.logical_or),
    "logistic": _one(torch.sigmoid),
    "maximum": _two(torch.maximum),
    "minimum": _two(torch.minimum),
    "mul": _two(torch.mul),
    "neg": _one(torch.neg),
    "not_equal": _two(torch.ne),
    "pow": _two(lambda x, y: torch.nan_to_num(torch.pow(x, y))),
    "prelu": _two(_prelu),
    "quantize": _one(lambda x: x),
    "relu": _bounds,
    "round": _one(torch.round),
    "rsqrt": _one(torch.rsqrt),
    "select_v2": _select,
    "sign": _one(torch.sign),
    "sin": _one(torch.sin),
    "sqrt": _one(torch.sqrt),
    "square": _one(torch.square),
    "squared_difference": _two(lambda x, y: torch.square(x - y)),
    "sub": _two(torch.sub),
    "tanh": _one(torch.tanh),
}
