"""QUANTIZE for every core: from float32 and between integers."""

from __future__ import annotations

from typing import cast

from midge.ir.tensor import QUANTIZED, DType
from midge.kernels.literals import per_tensor, requantization_literals
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.quantize import Quantize, quantize_parameters


def fits(layer: Layer) -> bool:
    """From float32 to int8 or int16, or between integers."""
    return layer.inputs[0].dtype is not DType.F32 or layer.outputs[0].dtype in QUANTIZED


def bind(layer: Layer) -> Binding:
    """The output's scale (float), or the factor between both scales (integers)."""
    x, y = layer.inputs[0], layer.outputs[0]
    params: dict[str, object] = {"elements": y.elements, "is_float": x.dtype is DType.F32}
    if x.dtype is DType.F32:
        function = "midge_quantize_to_even" if cast(Quantize, layer.op).ties_to_even else "midge_quantize"
        params |= {"function": function if y.dtype is DType.S8 else f"{function}_s16"}
        return Binding({**params, "quant_scale": y.q.scale, "zero_point": y.q.zero_point})
    p = quantize_parameters(cast(Quantize, layer.op), layer.inputs, layer.outputs)
    factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, *y.dtype.limits)
    literals, _ = requantization_literals(factor, 1 << (8 * x.dtype.bytes), y.dtype.c_type)
    if p.input_zero_point and x.dtype.bytes > 1:  # Where int has 16 bits, it does not hold the difference.
        params["wide"] = True
    return Binding({**params, "zero_point": p.input_zero_point, **literals})


def overlap(layer: Layer) -> int:
    """The last write must not reach the last element read, where output elements are larger."""
    x, y = layer.inputs[0], layer.outputs[0]
    return max(y.dtype.bytes - x.dtype.bytes, 0) * (x.elements - 1)


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap)
