"""All functions of one value, for every core: of float32, and of int16 by lines between anchors.

In int8 they are look-ups (midge.passes.tables_for_unary).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from midge.ir.tensor import DType
from midge.kernels.literals import in_place, is_float, is_float_or_int16, per_tensor, requantization_literals
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.abs import Abs
from midge.ops.families.unary import Unary
from midge.ops.logistic import Logistic
from midge.ops.tanh import Tanh


def bind(layer: Layer) -> Binding:
    """The function by its name (float32), the factors of a function that has its own arithmetic, or anchors."""
    op, x, y = cast(Unary, layer.op), layer.inputs[0], layer.outputs[0]
    params: dict[str, object] = {"elements": y.elements}
    if is_float(layer):
        return Binding({**params, "way": "float", "function": op.function})
    if isinstance(op, (Logistic, Tanh)):
        return Binding({**params, "way": "sigmoid", "function": f"midge_{op.kind}_s16", **_sigmoid(op, layer)})
    if isinstance(op, Abs):
        return Binding({**params, "way": "abs", **_abs(op, layer)})
    anchors = Constant("anchors", DType.S16.c_type, op.anchors(x.q, y.q))
    return Binding({**params, "way": "anchors"}, (anchors,))


def _sigmoid(op: Logistic | Tanh, layer: Layer) -> Mapping[str, object]:
    """The factor of the input; half of what its shift drops rounds it."""
    factor = op.factor(layer.inputs[0].q)
    half = 1 << (factor.shift - 1) if factor.shift else 0
    return {"multiplier": factor.multiplier, "shift": factor.shift, "half": half}


def _abs(op: Abs, layer: Layer) -> Mapping[str, object]:
    """The factor between the scales, if there is one."""
    x, y = layer.inputs[0], layer.outputs[0]
    factor = op.factor(x.q, y.q)
    if factor is None:
        return {"rescales": False}
    literals, _ = requantization_literals(per_tensor(*factor, 0, *y.dtype.limits), 1 << 15, y.dtype.c_type)
    return {"rescales": True, **literals}


VARIANT = Variant(__name__, fits=is_float_or_int16, bind=bind, overlap=in_place)
