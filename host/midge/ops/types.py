"""Which element types and quantizations an operator accepts: checks that several operators share.

Each returns "" or the reason why not, in words for the user.
"""

from __future__ import annotations

from collections.abc import Sequence

from midge.ir.graph import DType, Tensor

_ONLY = "midge computes float32 and full-integer int8"


def check_weighted(inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, per_channel_axis: int) -> str:
    """A convolution or matrix product: float32 throughout, or int8 with int8 weights and an int32 bias."""
    x, weights, *bias = inputs
    y = outputs[0]
    if x.dtype is y.dtype is DType.F32:
        if weights.dtype is not DType.F32:
            return f"float activations with {weights.dtype.value} weights (dynamic range); {_ONLY}"
        return ""
    if not (x.dtype is y.dtype is weights.dtype is DType.S8):
        return f"{x.dtype.value} input, {weights.dtype.value} weights, {y.dtype.value} output; {_ONLY}"
    if reason := check_per_tensor((x, y)):
        return reason
    if weights.quant is None:
        return f"the weights {weights.name} have no scale"
    if any(weights.quant.zero_points):
        return f"the weights {weights.name} are not symmetric"
    if weights.quant.axis not in (None, per_channel_axis):
        return f"the weights {weights.name} are quantized along axis {weights.quant.axis}"
    if bias and bias[0].dtype is not DType.S32:
        return f"a {bias[0].dtype.value} bias with int8 activations"
    return ""


def check_same_type(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """All activations float32, or all int8 with a scale each."""
    tensors = (*inputs, *outputs)
    kinds = {t.dtype for t in tensors}
    if kinds == {DType.F32}:
        return ""
    if kinds != {DType.S8}:
        return f"types {', '.join(sorted(k.value for k in kinds))}; {_ONLY}"
    return check_per_tensor(tensors)


def check_per_tensor(tensors: Sequence[Tensor]) -> str:
    """Each tensor has one scale and zero point."""
    for t in tensors:
        if t.quant is None:
            return f"{t.name} is {t.dtype.value} without a scale"
        if t.quant.axis is not None:
            return f"the activation {t.name} is quantized per channel"
    return ""


def check_same_quant(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """An operator that only moves values: same type, and the same scale and zero point everywhere."""
    if reason := check_same_type(inputs, outputs):
        return reason
    if outputs[0].quant is not None and any(t.quant != outputs[0].quant for t in inputs):
        return "inputs and output have different scales"
    return ""
