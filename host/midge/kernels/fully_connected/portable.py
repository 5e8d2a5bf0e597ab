"""FULLY_CONNECTED for every core and shape, float32, int8 and 16x8."""

from __future__ import annotations

from typing import cast

from midge.kernels.literals import dynamic_literals, has_constant_weights, is_float, requantization_of
from midge.kernels.variant import Binding, Layer, Variant
from midge.kernels.weighted import bind_sums
from midge.ops.fully_connected import FullyConnected
from midge.ops.types import is_dynamic


def bind(layer: Layer) -> Binding:
    """Weights as they are, one row per output; the input's zero point folded into the bias."""
    units, depth = layer.inputs[1].shape
    params: dict[str, object] = {"batch": layer.inputs[0].elements // depth, "depth": depth, "rows": units}
    if is_dynamic(layer.inputs):
        literals, tables = dynamic_literals(layer, cast(FullyConnected, layer.op).asymmetric)
        return Binding({**params, **literals}, tables)
    r = None if is_float(layer) else requantization_of(layer)
    return bind_sums(layer, {**params, "dynamic": False}, r, fold=True)


def scratch_bytes(layer: Layer) -> int:
    """One row as int8, where ranges are found at run time."""
    return layer.inputs[1].shape[1] if is_dynamic(layer.inputs) else 0


VARIANT = Variant(__name__, fits=has_constant_weights, bind=bind, scratch_bytes=scratch_bytes)
