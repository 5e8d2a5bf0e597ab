"""MEAN over any axes for every core and shape, float32 and int8."""

from __future__ import annotations

from math import prod
from typing import cast

from midge.kernels.geometry import Dim, merged
from midge.kernels.literals import is_either, is_float, per_tensor, requantization_literals
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.mean import Mean, mean_parameters


def bind(layer: Layer) -> Binding:
    """Loops over the kept dimensions around loops over the averaged ones."""
    op, shape = cast(Mean, layer.op), layer.inputs[0].shape
    dims = [Dim(n, (prod(shape[axis + 1 :]),)) for axis, n in enumerate(shape)]
    kept = merged([d for axis, d in enumerate(dims) if axis not in op.axes])
    averaged = merged([d for axis, d in enumerate(dims) if axis in op.axes])
    params = {**_loops("kept", "o", kept), **_loops("averaged", "i", averaged), "is_float": is_float(layer)}
    if is_float(layer):
        return Binding({**params, "count": prod(d.size for d in averaged), "low": None, "high": None})
    p = mean_parameters(op, layer.inputs, layer.outputs)
    factor = per_tensor(p.multiplier, p.shift, p.output_zero_point, -128, 127)
    literals, _ = requantization_literals(factor, 255 * p.count)
    return Binding({**params, "start": -p.count * p.input_zero_point, **literals})


def _loops(kind: str, letter: str, dims: tuple[Dim, ...]) -> dict[str, object]:
    names = [f"{letter}{k}" for k in range(len(dims))] if len(dims) > 1 else [letter][: len(dims)]
    return {
        f"{kind}_names": names,
        f"{kind}_sizes": [d.size for d in dims],
        f"{kind}_strides": [d.strides[0] for d in dims],
    }


VARIANT = Variant(__name__, fits=is_either, bind=bind)
