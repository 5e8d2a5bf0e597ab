"""QUANTIZE for every core: float32 or int8 to int8."""

from __future__ import annotations

from typing import cast

from midge.ir.graph import DType
from midge.kernels.literals import per_tensor, requantization_literals
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.quantize import Quantize, quantize_parameters


def fits(layer: Layer) -> bool:
    """To int8."""
    return layer.inputs[0].dtype in (DType.F32, DType.S8) and layer.outputs[0].dtype is DType.S8


def bind(layer: Layer) -> Binding:
    """The output's scale (float), or the factor between both scales (int8)."""
    x, y = layer.inputs[0], layer.outputs[0]
    params: dict[str, object] = {"elements": y.elements, "is_float": x.dtype is DType.F32}
    if x.dtype is DType.F32:
        function = "midge_quantize_to_even" if cast(Quantize, layer.op).ties_to_even else "midge_quantize"
        params |= {"function": function}
        return Binding({**params, "quant_scale": y.q.scale, "zero_point": y.q.zero_point})
    p = quantize_parameters(cast(Quantize, layer.op), layer.inputs, layer.outputs)
    factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, -128, 127)
    literals, _ = requantization_literals(factor, 255)
    return Binding({**params, "zero_point": p.input_zero_point, **literals})


def overlap(_: Layer) -> int:
    """Output elements are no larger than input elements."""
    return 0


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap)
