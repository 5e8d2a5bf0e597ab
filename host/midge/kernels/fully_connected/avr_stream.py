"""FULLY_CONNECTED int8 of several rows for AVR, two at a time: activations stay in registers while weights stream by
(midge.kernels.byte_blocks)."""

from __future__ import annotations

from midge.kernels.byte_blocks import NEEDS, Blocks, blocks, code_bytes, gather
from midge.kernels.literals import bias_values, constant_data, has_constant_weights, is_int8, requantization_of
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 with constant weights, sums of three bytes."""
    if not (is_int8(layer) and has_constant_weights(layer)) or _windows(layer) == 1:
        return False
    return gather(1, layer.inputs[1].shape[1], 0)["turn"] != 0 and _blocks(layer) is not None


def bind(layer: Layer) -> Binding:
    """The stream; every row is a window."""
    made = _blocks(layer)
    assert made is not None
    copied = gather(1, layer.inputs[1].shape[1], 0)
    return Binding({**made.params, "windows": _windows(layer), "gather": copied}, made.constants)


def scratch_bytes(layer: Layer) -> int:
    """One row or two."""
    made = _blocks(layer)
    assert made is not None
    return made.pixels * made.hop


def _windows(layer: Layer) -> int:
    return layer.inputs[0].elements // layer.inputs[1].shape[1]


def _blocks(layer: Layer) -> Blocks | None:
    rows = constant_data(layer.inputs[1])
    r = requantization_of(layer)
    return blocks(rows, bias_values(layer, len(rows)), layer.inputs[0].q.zero_point, r, _windows(layer))


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes, code_bytes=code_bytes)
