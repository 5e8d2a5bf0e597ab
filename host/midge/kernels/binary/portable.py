"""MAXIMUM, MINIMUM, DIV, SQUARED_DIFFERENCE and PRELU of any pair of shapes, for every core."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, cast

from midge.kernels.elementwise import bind_pair, computes_pair, sum_literals
from midge.kernels.literals import in_place
from midge.kernels.variant import Binding, Layer, Variant, touches_floats
from midge.ops.families.binary import Binary


def bind(layer: Layer) -> Binding:
    """The loops over both operands, the operator's kind, and in int8 its integers."""
    op = cast(Binary, layer.op)
    bound = bind_pair(layer, lambda: _integers(layer))
    return Binding({**bound.params, "kind": op.kind, "element": layer.inputs[0].dtype.c_type}, bound.constants)


def _integers(layer: Layer) -> Mapping[str, object]:
    find = _INTEGERS.get(layer.op.kind)
    return {} if find is None else find(cast(Binary, layer.op).parameters(layer.inputs, layer.outputs), layer)


def _plain(parameters: Any, layer: Layer) -> Mapping[str, object]:
    return {**asdict(parameters), "output_zero_point": layer.outputs[0].q.zero_point}


def floats(layer: Layer) -> bool:
    """DIV is defined through a float quotient, in int8 too."""
    return touches_floats(layer) or layer.op.kind == "div"


_INTEGERS: Mapping[str, Callable[[Any, Layer], Mapping[str, object]]] = {
    "div": _plain,
    "prelu": _plain,
    "squared_difference": lambda parameters, layer: sum_literals(parameters, layer.outputs[0].dtype.c_type),
}

VARIANT = Variant(__name__, fits=computes_pair, bind=bind, overlap=in_place, floats=floats)
