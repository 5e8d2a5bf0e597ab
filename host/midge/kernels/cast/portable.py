"""CAST between types and LOGICAL_NOT, for every core."""

from __future__ import annotations

from midge.ir.tensor import DType
from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant


def fits(layer: Layer) -> bool:
    """Any pair of types."""
    return len(layer.inputs) == 1


def bind(layer: Layer) -> Binding:
    """Both types; floats that become integers are limited first."""
    x, y = layer.inputs[0], layer.outputs[0]
    truncates = x.dtype is DType.F32 and y.dtype in (DType.S32, DType.S8, DType.U8)
    params: dict[str, object] = {
        "elements": y.elements,
        "kind": layer.op.kind,
        "element": y.dtype.c_type,
        "is_truth": y.dtype is DType.BOOL,
        "limits": y.dtype.limits if truncates else None,
    }
    constants = (Constant("in0", x.dtype.c_type, constant_data(x)),) if x.is_constant else ()
    return Binding(params, constants)


VARIANT = Variant(__name__, fits=fits, bind=bind)
