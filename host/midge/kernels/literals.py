"""What several kernels bind alike: weighted sums, requantization, clamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import NO_CLAMP, Array, DType, Op, Tensor
from midge.kernels.variant import Constant, Layer
from midge.numerics.requantize import Requantization

INT32_LIMIT = 1 << 31


def is_float(layer: Layer) -> bool:
    """Whether the layer computes in float32."""
    return layer.outputs[0].dtype is DType.F32


def is_int8(layer: Layer) -> bool:
    """Whether the layer's first input and output are int8."""
    return layer.inputs[0].dtype is layer.outputs[0].dtype is DType.S8


def is_either(layer: Layer) -> bool:
    """Whether the layer is float32 or int8 throughout."""
    kinds = {t.dtype for t in (*layer.inputs, *layer.outputs)}
    return kinds in ({DType.F32}, {DType.S8})


def has_constant_weights(layer: Layer) -> bool:
    """Whether the layer is float32 or int8 with weights and bias known before any inference."""
    known = all(t.is_constant for t in layer.inputs[1:])
    return known and layer.inputs[0].dtype is layer.outputs[0].dtype and layer.outputs[0].dtype in (DType.F32, DType.S8)


def in_place(layer: Layer) -> int | None:
    """The overlap of a kernel that computes each element from the one at the same position of input 0."""
    return 0 if layer.inputs[0].bytes == layer.outputs[0].bytes else None


def bias_values(layer: Layer, channels: int) -> Array:
    """The bias, zeros where the layer has none: float32 or int32, shape (channels,)."""
    if len(layer.inputs) > 2:
        return constant_data(layer.inputs[2])
    return np.zeros(channels, np.float32 if is_float(layer) else np.int32)


def constant_data(tensor: Tensor) -> Array:
    """The value of a tensor that `fits` has seen to be constant."""
    assert tensor.data is not None, f"{tensor.name} is not constant"
    return tensor.data


@dataclass(frozen=True, eq=False)
class Sums:
    """The int8 sums of a layer: sum of (x - in_zero) * w, plus `bias`.

    `reach` is the most that |sum| can be, by channel. Sums that could leave 32 bits are computed in
    `uint32_t`, where they wrap as the definition says.
    """

    bias: Array
    in_zero: int
    reach: Array

    @property
    def number(self) -> str:
        """The C type of the sum."""
        return "int32_t" if int(self.reach.max()) < INT32_LIMIT else "uint32_t"


def integer_sums(bias: Array, weights: Array, zero_point: int, *, fold: bool) -> Sums:
    """How a layer with `weights` (output channel first) sums up.

    With `fold` the input's zero point z goes into the bias, so that the kernel multiplies raw inputs; every window must
    be whole then: sum of (x - z) * w + b = sum of x * w + (b - z * sum of w).
    """
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    folded = bias.astype(np.int64) - (zero_point * rows.sum(axis=1) if fold else 0)
    in_zero = 0 if fold else zero_point
    widest = max(in_zero + 128, 127 - in_zero)
    reach = np.abs(folded) + widest * np.abs(rows).sum(axis=1)
    return Sums(folded.astype(np.int32), in_zero, reach)


def requantization_literals(r: Requantization, reach: Array | int) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) that the macro in kernels/store.j2 reads: literals where all channels are equal.

    `reach` is the most that |sum| can be. Shifts go right where none goes left.
    """
    down = bool(np.all(r.shifts <= 0))
    shifts = -r.shifts if down else r.shifts
    params: dict[str, object] = {
        "scale": "midge_scale_down" if down else "midge_requantize",
        "clamp": integer_clamp_literals(r.zero_point, r.low, r.high, _scaled_fits(r, np.asarray(reach, np.float64))),
    }
    if len(set(zip(r.multipliers.tolist(), r.shifts.tolist(), strict=True))) == 1:
        return {**params, "multiplier": int(r.multipliers[0]), "shift": int(shifts[0])}, ()
    multipliers = Constant("multipliers", "int32_t", r.multipliers.astype(np.int32))
    tables = (multipliers, Constant("shifts", "int8_t", shifts.astype(np.int8)))
    return {**params, "multiplier": None, "shift": None}, tables


def per_tensor(multiplier: int, shift: int, zero_point: int, low: int, high: int) -> Requantization:
    """One factor for all channels, from the integers that an operator derives."""
    return Requantization(np.array([multiplier], np.int32), np.array([shift], np.int32), zero_point, low, high)


def integer_clamp_literals(zero_point: int, low: int, high: int, sum_fits: bool) -> Mapping[str, int]:
    """How `zero_point` is added and low..high kept: before + clamp + after.

    The zero point comes before the clamp, so that its bounds are those of the type and one instruction on some cores,
    unless the sum could leave 32 bits.
    """
    if sum_fits:
        return {"before": zero_point, "low": low, "high": high, "after": 0}
    return {"before": 0, "low": low - zero_point, "high": high - zero_point, "after": zero_point}


def _scaled_fits(r: Requantization, reach: Array) -> bool:
    """Whether |sum| * factor leaves room for a zero point, and no left shift wraps."""
    shifted = reach * np.exp2(np.maximum(r.shifts, 0))
    scaled = reach * r.multipliers / INT32_LIMIT * np.exp2(r.shifts)
    return bool(np.all(shifted < INT32_LIMIT) and np.all(scaled < INT32_LIMIT / 2))


def float_clamp(op: Op) -> Mapping[str, object]:
    """The fused activation of a float layer: bounds, None where there is none."""
    low, high = getattr(op, "clamp", NO_CLAMP)
    return {"low": float(low) if np.isfinite(low) else None, "high": float(high) if np.isfinite(high) else None}
