"""FULLY_CONNECTED of activations and weights that take two values each: exclusive or and a count, on every core."""

from __future__ import annotations

from midge.kernels.literals import requantization_of
from midge.kernels.signs import Signs, bind_signs
from midge.kernels.signs import signs as signs_of
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 that is known to be signs, times binary weights."""
    return _signs(layer) is not None


def bind(layer: Layer) -> Binding:
    """The signs of the weights, row by row."""
    made = _signs(layer)
    assert made is not None
    r = requantization_of(layer)
    binding = bind_signs(layer, made, r)
    rows, depth = layer.inputs[1].shape
    sizes = {"batch": layer.inputs[0].elements // depth, "rows": rows}
    return Binding({**binding.params, **sizes}, binding.constants)


def scratch_bytes(layer: Layer) -> int:
    """The signs of one row."""
    return 4 * -(-layer.inputs[1].shape[1] // 32)


def _signs(layer: Layer) -> Signs | None:
    return signs_of(layer, layer.inputs[1].shape[1], is_whole=True)


VARIANT = Variant(__name__, fits=fits, bind=bind, scratch_bytes=scratch_bytes, signs=True)
