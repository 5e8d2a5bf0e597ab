"""What several kernels bind alike: biases, requantization, clamps, window geometry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from midge.ir.graph import Array, DType, Op, Tensor
from midge.kernels.variant import Constant, Layer
from midge.numerics.requantize import Requantization

INT32_LIMIT = 1 << 31


def is_float(layer: Layer) -> bool:
    """Whether the layer computes in float32."""
    return layer.outputs[0].dtype is DType.F32


def is_int8(layer: Layer) -> bool:
    """Whether the layer's first input and output are int8."""
    return layer.inputs[0].dtype is layer.outputs[0].dtype is DType.S8


def bias_values(layer: Layer, channels: int) -> Array:
    """The bias, zeros where the layer has none: float32 or int32, shape (channels,)."""
    if len(layer.inputs) > 2:
        data = layer.inputs[2].data
        assert data is not None, "weighted layers are bound after their bias was checked to be constant"
        return data
    return np.zeros(channels, np.float32 if is_float(layer) else np.int32)


def constant_data(tensor: Tensor) -> Array:
    """The value of a tensor that `fits` has seen to be constant."""
    assert tensor.data is not None, f"{tensor.name} is not constant"
    return tensor.data


def folded_bias(bias: Array, weights: Array, zero_point: int) -> Array | None:
    """bias - zero_point * (sum of each output channel's weights), int32; None where that would leave 32 bits.

    With it a layer without padding multiplies raw inputs: sum((x - z) * w) + b = sum(x * w) + (b - z * sum(w)).
    `weights` has the output channel first.
    """
    sums = weights.reshape(len(weights), -1).astype(np.int64).sum(axis=1)
    folded = bias.astype(np.int64) - zero_point * sums
    reach = 128 * np.abs(weights.reshape(len(weights), -1).astype(np.int64)).sum(axis=1)
    return folded.astype(np.int32) if np.all(np.abs(folded) + reach < INT32_LIMIT) else None


def requantization_literals(r: Requantization) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) that the macro in kernels/requantize.j2 reads: literals where all channels are equal."""
    params: dict[str, object] = {"out_zero": r.zero_point, "low": r.low, "high": r.high}
    params["only_right"] = bool(np.all(r.shifts <= 0))
    if len(set(zip(r.multipliers.tolist(), r.shifts.tolist(), strict=True))) == 1:
        params |= {"multiplier": int(r.multipliers[0]), "shift": int(r.shifts[0])}
        return params, ()
    params |= {"multiplier": None, "shift": None}
    multipliers = Constant("multipliers", "int32_t", r.multipliers.astype(np.int32))
    return params, (multipliers, Constant("shifts", "int8_t", r.shifts.astype(np.int8)))


def float_clamp(op: Op) -> Mapping[str, object]:
    """The fused activation of a float layer: bounds, None where there is none."""
    low, high = op.clamp  # type: ignore[attr-defined]
    return {"low": float(low) if np.isfinite(low) else None, "high": float(high) if np.isfinite(high) else None}


def window_literals(layer: Layer, kernel: tuple[int, int]) -> dict[str, object]:
    """Sizes of input, output, window, stride, dilation and padding of an NHWC layer."""
    op = layer.op
    (batch, in_h, in_w, in_c), (_, out_h, out_w, out_c) = layer.inputs[0].shape, layer.outputs[0].shape
    (top, bottom), (left, right) = op.padding  # type: ignore[attr-defined]
    dilation = getattr(op, "dilation", (1, 1))
    stride = op.stride  # type: ignore[attr-defined]
    return {
        "batch": batch,
        "in_h": in_h,
        "in_w": in_w,
        "in_c": in_c,
        "out_h": out_h,
        "out_w": out_w,
        "out_c": out_c,
        "k_h": kernel[0],
        "k_w": kernel[1],
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h": dilation[0],
        "dilation_w": dilation[1],
        "top": top,
        "left": left,
        # A window reaches past the bottom only when the last one does: padding that no window reads does not count.
        "padded": bool(
            top
            or left
            or (out_h - 1) * stride[0] - top + (kernel[0] - 1) * dilation[0] >= in_h
            or (out_w - 1) * stride[1] - left + (kernel[1] - 1) * dilation[1] >= in_w
        ),
    }
