"""QUANTIZE for every core: float32 to int8, integers to integers."""

from __future__ import annotations

from typing import cast

from midge.ir.graph import DType
from midge.kernels.literals import per_tensor, requantization_literals
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.quantize import Quantize, quantize_parameters


def fits(_: Layer) -> bool:
    """All that the operator takes."""
    return True


def bind(layer: Layer) -> Binding:
    """The output's scale (float), or the factor between both scales (integers)."""
    x, y = layer.inputs[0], layer.outputs[0]
    params: dict[str, object] = {
        "elements": y.elements,
        "is_float": x.dtype is DType.F32,
        "is_int8": (x.dtype, y.dtype) == (DType.S8, DType.S8),
    }
    if x.dtype is DType.F32:
        function = "midge_quantize_to_even" if cast(Quantize, layer.op).ties_to_even else "midge_quantize"
        params |= {"function": function}
        return Binding({**params, "quant_scale": y.q.scale, "zero_point": y.q.zero_point})
    p = quantize_parameters(cast(Quantize, layer.op), layer.inputs, layer.outputs)
    if params["is_int8"]:
        factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, -128, 127)
        literals, _ = requantization_literals(factor, 255)
        return Binding({**params, "zero_point": p.input_zero_point, **literals})
    low, high = y.dtype.limits
    return Binding(
        {
            **params,
            "zero_point": p.input_zero_point,
            "out_zero": p.output_zero_point,
            "multiplier": p.multiplier,
            "shift": p.shift,
            "element": y.dtype.c_type,
            "limits": None if y.dtype is DType.S32 else {"low": low, "high": high},
        }
    )


def overlap(layer: Layer) -> int:
    """In place; where output elements are larger, the input is as far ahead as they grow until the last is read."""
    growth = layer.outputs[0].dtype.bytes - layer.inputs[0].dtype.bytes
    return max(0, growth * (layer.inputs[0].elements - 1))


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap)
