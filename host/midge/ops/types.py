"""Which element types and quantizations an operator accepts: checks that several operators share.

Each check returns "" or the reason why not, in words for the user.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import inf, isfinite

import numpy as np

from midge.ir.tensor import QUANTIZED, DType, Quant, Shape, Tensor

_ONLY = "midge computes float32, full-integer int8, and int16 activations where TensorFlow Lite has them"

# TFLite's own tolerance for the scales of an operator that only moves values, asserted in its pooling kernels.
_SAME_SCALE = 1e-6

# The types that a bias has beside activations of a type; TFLite's sums of 64 bits are promised up to 48.
_BIAS_TYPES = {DType.S8: (DType.S32,), DType.S16: (DType.S32, DType.S64)}
_LARGEST_BIAS = 1 << 46

# The smallest normal float32: below it the reciprocal of a scale may overflow.
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


def type_reason(tensors: Sequence[Tensor]) -> str:
    """Why midge does not compute with the element types of `tensors`, whatever they are."""
    kinds = {t.dtype for t in tensors}
    if DType.U8 in kinds:
        return f"uint8, the older quantization; {_ONLY}: convert again with int8"
    if DType.S16 in kinds:
        return "int16 activations, which TensorFlow Lite has not for this operator: convert again without 16x8"
    if {DType.F32, DType.S8} <= kinds:
        return f"float activations with int8 weights (dynamic range); {_ONLY}: convert again in full integer or float"
    return f"types {', '.join(sorted(k.value for k in kinds))}; {_ONLY}"


def reason_why_not(derive: Callable[[], object]) -> str:
    """The message of the ValueError that `derive` raises, or "" when it succeeds."""
    try:
        with np.errstate(over="ignore"):
            derive()
    except ValueError as problem:
        return str(problem)
    return ""


def broadcast_shape(inputs: Sequence[Tensor]) -> Shape:
    """numpy's broadcast of two operands. Raises ValueError when they do not go together."""
    x, y = inputs
    try:
        return tuple(np.broadcast_shapes(x.shape, y.shape))
    except ValueError:
        raise ValueError(f"{x.shape} and {y.shape} do not broadcast") from None


def check_weighted(inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, per_channel_axis: int) -> str:
    """A convolution or matrix product: float32 throughout, or int8 weights and int8 or int16 activations.

    The bias is int32, or int64 beside int16 activations.
    """
    x, weights, *bias = inputs
    y = outputs[0]
    if {t.dtype for t in (*inputs, y)} == {DType.F32}:
        return ""
    if is_dynamic(inputs):
        return _check_dynamic(inputs, y, per_channel_axis)
    if x.dtype is not y.dtype or x.dtype not in QUANTIZED or weights.dtype is not DType.S8:
        return type_reason((*inputs, y))
    if bias and bias[0].dtype not in _BIAS_TYPES[x.dtype]:
        return f"a {bias[0].dtype.value} bias with {x.dtype.value} activations; {_ONLY}"
    if bias and bias[0].data is not None and np.abs(bias[0].data, dtype=np.float64).max() >= _LARGEST_BIAS:
        return f"the bias {bias[0].name} needs more than 48 bits"
    return _check_activations((x, y)) or _check_weights(weights, per_channel_axis)


def is_dynamic(inputs: Sequence[Tensor]) -> bool:
    """Whether a layer has float activations and int8 weights: its integer ranges are found at run time."""
    return inputs[0].dtype is DType.F32 and inputs[1].dtype is DType.S8


def dynamic_is_asymmetric(weights: Tensor) -> bool:
    """Whether a convolution quantizes its input asymmetrically at run time: TFLite's do with scales per channel."""
    return weights.q.axis is not None


def _check_dynamic(inputs: Sequence[Tensor], y: Tensor, per_channel_axis: int) -> str:
    _, weights, *bias = inputs
    if any(t.dtype is not DType.F32 for t in (*bias, y)) or not weights.is_constant:
        return type_reason((*inputs, y))
    return _check_weights(weights, per_channel_axis)


def _check_weights(weights: Tensor, per_channel_axis: int) -> str:
    quant = weights.quant
    if quant is None:
        return f"the weights {weights.name} have no scale"
    if not all(isfinite(s) and s >= 0 for s in quant.scales):
        return f"the weights {weights.name} have a scale that is negative or not finite"
    if any(quant.zero_points):
        return f"the weights {weights.name} are not symmetric: their zero point is not 0"
    if quant.axis not in (None, per_channel_axis):
        return f"the weights {weights.name} are quantized along axis {quant.axis}, not {per_channel_axis}"
    if quant.axis is not None and len(quant.scales) != weights.shape[quant.axis]:
        return f"the weights {weights.name} have {len(quant.scales)} scales for {weights.shape[quant.axis]} channels"
    return ""


def check_same_type(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], quantized: Collection[DType] = (DType.S8,)
) -> str:
    """All activations float32, or all of one of the `quantized` types with a scale each."""
    tensors = (*inputs, *outputs)
    kinds = {t.dtype for t in tensors}
    if kinds == {DType.F32}:
        return ""
    if len(kinds) > 1 or not kinds <= set(quantized):
        return type_reason(tensors)
    return _check_activations(tensors)


def _check_activations(tensors: Sequence[Tensor]) -> str:
    """One scale each; the zero point of int16 is 0."""
    for t in tensors:
        if t.dtype is DType.S16 and t.quant is not None and any(t.quant.zero_points):
            return f"{t.name} is int16 with the zero point {t.q.zero_point}; TensorFlow Lite's int16 has 0"
    return check_per_tensor(tensors)


def check_per_tensor(tensors: Sequence[Tensor]) -> str:
    """Each tensor has one positive scale, and a zero point that its type holds."""
    for t in tensors:
        if t.quant is None:
            return f"{t.name} is {t.dtype.value} without a scale"
        if t.quant.axis is not None or len(t.quant.scales) != 1 or len(t.quant.zero_points) != 1:
            return f"the activation {t.name} is quantized per channel"
        if not _SMALLEST_SCALE <= t.quant.scale < inf:
            return f"{t.name} has the scale {t.quant.scale}"
        if not t.dtype.limits[0] <= t.quant.zero_point <= t.dtype.limits[1]:
            return f"{t.name} has the zero point {t.quant.zero_point}, which {t.dtype.value} cannot hold"
    return ""


def check_same_quant(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], quantized: Collection[DType] = (DType.S8,)
) -> str:
    """An operator that only moves values: same type, and the same scale and zero point everywhere."""
    reason = check_same_type(inputs, outputs, quantized)
    if reason or outputs[0].dtype is DType.F32:
        return reason
    y = outputs[0].q
    for t in inputs:
        if t.q.zero_point != y.zero_point or abs(t.q.scale - y.scale) > _SAME_SCALE:
            return (
                f"{t.name} has scale {t.q.scale:.6g} and zero point {t.q.zero_point}, the output {y.scale:.6g} and "
                f"{y.zero_point}: they must be the same"
            )
    return ""


def check_moved(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
    """An operator that moves bytes, whatever they mean: one type, and quantized ones as `check_same_quant` wants."""
    kinds = {t.dtype for t in (*inputs, *outputs)}
    if len(kinds) == 1 and kinds <= {DType.S32, DType.S64, DType.BOOL}:
        return ""
    return next((reason for y in outputs if (reason := check_same_quant(inputs, [y], QUANTIZED))), "")


def check_fixed_output(output: Tensor, expected: Quant) -> str:
    """A quantized output whose scale and zero point the operator fixes; floats pass."""
    if output.dtype is DType.F32 or output.quant == expected:
        return ""
    return (
        f"the output has scale {output.q.scale:.6g} and zero point {output.q.zero_point}; "
        f"it must be {expected.scale:.6g} and {expected.zero_point}"
    )
