"""What several kernels bind alike: weighted sums, requantization, clamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from midge.ir.graph import NO_CLAMP, Op
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.kernels.variant import Constant, Layer
from midge.numerics.fixed_point import reduced_multiplier
from midge.numerics.requantize import Requantization
from midge.ops.families.weighted import Weighted

INT32_LIMIT = 1 << 31

# Types of weights and activations.
_WEIGHTED = {(DType.F32, DType.F32), (DType.S8, DType.S8), (DType.S8, DType.S16), (DType.S8, DType.F32)}


def int32_words(values: Array) -> Array:
    """The low 32 bits of each."""
    low: Array = (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return low


def is_float(layer: Layer) -> bool:
    """Whether the layer computes in float32."""
    return layer.outputs[0].dtype is DType.F32


def is_float_or_int16(layer: Layer) -> bool:
    """Whether the layer is float32 or int16 throughout."""
    return is_either(layer) and layer.outputs[0].dtype is not DType.S8


def is_int8(layer: Layer) -> bool:
    """Whether the layer's first input and output are int8."""
    return layer.inputs[0].dtype is layer.outputs[0].dtype is DType.S8


def is_either(layer: Layer) -> bool:
    """Whether the layer is float32, int8 or int16 throughout."""
    kinds = {t.dtype for t in (*layer.inputs, *layer.outputs)}
    return len(kinds) == 1 and kinds <= {DType.F32, *QUANTIZED}


def has_constant_weights(layer: Layer) -> bool:
    """Whether the layer is float32, int8, 16x8 or of dynamic range with weights and bias known before any inference."""
    x, weights = layer.inputs[:2]
    known = all(t.is_constant for t in layer.inputs[1:])
    pair = (weights.dtype, x.dtype)
    return known and x.dtype is layer.outputs[0].dtype and pair in _WEIGHTED


def dynamic_literals(layer: Layer, asymmetric: bool) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) of a layer whose input becomes int8 at run time, in scratch memory of `dynamic_scratch`.

    `weight_scale` is None where the channels differ, and then a table.
    """
    scales = layer.inputs[1].q.scales
    params: dict[str, object] = {"is_float": True, "dynamic": True, "element": "int8_t", "number": "int32_t"}
    params |= {"asymmetric": int(asymmetric), "in_zero": 0, "has_bias": len(layer.inputs) > 2}
    params |= {"weight_scale": scales[0] if len(set(scales)) == 1 else None, **float_clamp(layer.op)}
    tables = [Constant("bias", "float", constant_data(layer.inputs[2]))] if len(layer.inputs) > 2 else []
    if params["weight_scale"] is None:
        tables.append(Constant("scales", "float", np.array(scales, np.float32)))
    return params, (Constant("weights", "int8_t", constant_data(layer.inputs[1])), *tables)


def span(dtype: DType) -> int:
    """The most that a quantized value can be from its zero point; int16 has that at 0."""
    return 255 if dtype is DType.S8 else 1 << 15


def in_place(layer: Layer) -> int | None:
    """The overlap of a kernel that computes each element from the one at the same position of input 0."""
    return 0 if layer.inputs[0].bytes == layer.outputs[0].bytes else None


def bias_values(layer: Layer, channels: int) -> Array:
    """The bias, zeros where the layer has none: float32 or integers, shape (channels,)."""
    if len(layer.inputs) > 2:
        return constant_data(layer.inputs[2])
    return np.zeros(channels, np.float32 if is_float(layer) else np.int32)


def requantization_of(layer: Layer) -> Requantization:
    """How a layer of weighted sums makes outputs of them."""
    return cast(Weighted, layer.op).requantization(layer.inputs, layer.outputs)


def weight_rows(layer: Layer) -> Array:
    """Constant weights whose first axis is the output's channels, int64 (channels, positions)."""
    weights = constant_data(layer.inputs[1])
    return weights.reshape(len(weights), -1).astype(np.int64)


def constant_data(tensor: Tensor) -> Array:
    """The value of a tensor that `fits` has seen to be constant."""
    assert tensor.data is not None, f"{tensor.name} is not constant"
    return tensor.data


@dataclass(frozen=True, eq=False)
class Sums:
    """The integer sums of a layer: sum of (x - in_zero) * w, plus `bias`.

    `reach` is the most that |sum| can be, by channel. Sums that could leave 32 bits are computed in 64 when they are
    `wide`, else in `uint32_t`, where they wrap as the definition says.
    """

    bias: Array
    in_zero: int
    reach: Array
    wide: bool = False

    @property
    def number(self) -> str:
        """The C type of the sum."""
        if int(self.reach.max()) < INT32_LIMIT:
            return "int32_t"
        return "int64_t" if self.wide else "uint32_t"

    @property
    def bias_constant(self) -> Constant:
        """The bias as it goes to flash: in 16 bits where these do."""
        short = self.bias.astype(np.int16)
        bias = short if (short == self.bias).all() else self.bias
        return Constant("bias", f"{bias.dtype.name}_t", bias)


def integer_sums(
    bias: Array, weights: Array, zero_point: int, *, fold: bool, dtype: DType = DType.S8, wide: bool = False
) -> Sums:
    """How a layer with `weights` (output channel first) sums up inputs of `dtype`; `wide`: in 64 bits.

    With `fold` the input's zero point z goes into the bias, so that the kernel multiplies raw inputs; every window must
    be whole then: sum of (x - z) * w + b = sum of x * w + (b - z * sum of w).
    """
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    folded = bias.astype(np.int64) - (zero_point * rows.sum(axis=1) if fold else 0)
    in_zero = 0 if fold else zero_point
    low, high = dtype.limits
    reach = np.abs(folded) + max(in_zero - low, high - in_zero) * np.abs(rows).sum(axis=1)
    narrow = folded.astype(np.int32)
    return Sums(folded if wide and (narrow != folded).any() else narrow, in_zero, reach, wide)


def requantization_literals(
    r: Requantization, reach: Array | int, out_type: str = "int8_t"
) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """(params, constants) that the macros in kernels/store.j2 read: literals where all channels are equal.

    `reach` is the most that |sum| can be. Shifts go right where none goes left. `out_type` is the output's type in C.
    """
    if r.wide:
        return _wide_literals(r)
    down = bool(np.all(r.shifts <= 0))
    shifts = -r.shifts if down else r.shifts
    params: dict[str, object] = {
        "scale": "midge_scale_down" if down else "midge_requantize",
        "clamp": integer_clamp_literals(r.zero_point, r.low, r.high, _scaled_fits(r, np.asarray(reach, np.float64))),
        "out_type": out_type,
    }
    factors, tables = _factors(r.multipliers, "int32_t", shifts)
    return {**params, **factors}, tables


def _wide_literals(r: Requantization) -> tuple[dict[str, object], tuple[Constant, ...]]:
    """Of 64-bit sums: multipliers of 15 bits, and all that the product is shifted right."""
    params: dict[str, object] = {
        "scale": "midge_scale_wide",
        "clamp": integer_clamp_literals(r.zero_point, r.low, r.high, True),
        "out_type": "int16_t",
    }
    factors, tables = _factors(reduced_multiplier(r.multipliers), "int16_t", 15 - r.shifts)
    return {**params, **factors}, tables


def _factors(multipliers: Array, c_type: str, shifts: Array) -> tuple[dict[str, object], tuple[Constant, ...]]:
    if len(set(zip(multipliers.tolist(), shifts.tolist(), strict=True))) == 1:
        return {"multiplier": int(multipliers[0]), "shift": int(shifts[0])}, ()
    table = Constant("shifts", "int8_t", shifts.astype(np.int8))
    if (multipliers == multipliers[0]).all():
        return {"multiplier": int(multipliers[0]), "shift": None}, (table,)
    packed = Constant("multipliers", c_type, multipliers.astype(np.dtype(c_type.removesuffix("_t"))))
    return {"multiplier": None, "shift": None}, (packed, table)


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
