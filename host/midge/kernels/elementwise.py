"""What the kernels of ADD, SUB and MUL bind alike: loops over operands that broadcast, constant operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from midge.ir.graph import NO_CLAMP
from midge.kernels.geometry import broadcast_dims
from midge.kernels.literals import constant_data, float_clamp, is_either, is_float
from midge.kernels.variant import Binding, Constant, Layer
from midge.numerics.sums import SumParameters
from midge.ops.families.binary import is_whole, whole_clamp


def bind_pair(layer: Layer, integers: Callable[[], Mapping[str, object]]) -> Binding:
    """The loops over both operands, and the clamp, if there is one (float), or what `integers` derives.

    Int32 without a scale has `whole` alone: its bounds, () where there are none. A constant operand is the array `in0`
    or `in1`, in the operand's place.
    """
    dims = broadcast_dims(layer)
    names = [f"i{k}" for k in range(len(dims))] if len(dims) > 1 else ["i"][: len(dims)]
    params: dict[str, object] = {
        "names": names,
        "sizes": [d.size for d in dims],
        "strides0": [d.strides[0] for d in dims],
        "strides1": [d.strides[1] for d in dims],
        "is_float": is_float(layer),
    }
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    if is_whole(layer.inputs, layer.outputs):
        return Binding({**params, "whole": _whole_bounds(layer)}, constants)
    return Binding({**params, **(float_clamp(layer.op) if is_float(layer) else integers())}, constants)


def computes_pair(layer: Layer) -> bool:
    """Whether the layer is float32, int8, int16 or int32 throughout."""
    return is_either(layer) or is_whole(layer.inputs, layer.outputs)


def _whole_bounds(layer: Layer) -> tuple[int, ...]:
    clamp = getattr(layer.op, "clamp", NO_CLAMP)
    return () if clamp == NO_CLAMP else whole_clamp(clamp)


def sum_literals(p: SumParameters, out_type: str) -> Mapping[str, object]:
    """The literals that kernels/sum.j2 reads; `exact` is the factor of an operand that needs no multiplier."""
    operands = (
        {"zero": p.zero_point1, "multiplier": p.multiplier1, "right": -p.shift1},
        {"zero": p.zero_point2, "multiplier": p.multiplier2, "right": -p.shift2},
    )
    return {
        "operands": [{**o, "exact": _exact_factor(o["multiplier"], o["right"], p.left_shift)} for o in operands],
        "left": 1 << p.left_shift,
        "multiplier": p.multiplier,
        "shift": -p.shift,
        "scale": "midge_scale_down",
        "out_type": out_type,
        "clamp": {"before": p.zero_point, "low": p.low, "high": p.high, "after": 0},
    }


def _exact_factor(multiplier: int, right: int, left: int) -> int | None:
    """The whole number that scaling up by 2^left and down by (multiplier, right) amounts to, where it is one."""
    power = left - 1 - right
    return 1 << power if multiplier == 1 << 30 and power >= 0 else None
