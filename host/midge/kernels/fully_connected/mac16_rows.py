"""FULLY_CONNECTED int8 for Xtensa's MAC16: each row is widened once (firmware/nn/midge_mac16.h)."""

from __future__ import annotations

from midge.kernels.literals import (
    bias_values,
    has_constant_weights,
    integer_clamp_literals,
    is_int8,
    requantization_of,
    weight_rows,
)
from midge.kernels.mac16_dense import MOST_POSITIONS, NEEDS, Scaling, bind_matrix, definition, run_bytes, scaling_of
from midge.kernels.variant import Binding, Layer, Variant


def fits(layer: Layer) -> bool:
    """int8 with constant weights."""
    return is_int8(layer) and has_constant_weights(layer)


def bind(layer: Layer) -> Binding:
    """Weights by output; for each output its bias and what scales its sums."""
    scaled, rows, r = _scaling(layer), weight_rows(layer), requantization_of(layer)
    params, constants = bind_matrix(rows, scaled)
    width = rows.shape[1]
    more = {"batch": layer.inputs[0].elements // width, "width": width, "by_sums": _by_sums(layer, scaled)}
    more |= {"run_bytes": _run_bytes(layer), "sums_bytes": _sums_bytes(layer, scaled)}
    clamp = integer_clamp_literals(r.zero_point, r.low, r.high, sum_fits=False)
    return Binding({**params, **more, "low": clamp["low"], "high": clamp["high"], "after": clamp["after"]}, constants)


def scratch_bytes(layer: Layer) -> int:
    """A row, or a part of it and sums; its bytes where rows are not whole words."""
    width = layer.inputs[1].shape[1]
    return _run_bytes(layer) + _sums_bytes(layer, _scaling(layer)) + (width + -width % 4 if width % 4 else 0)


def _run_bytes(layer: Layer) -> int:
    return run_bytes(min(layer.inputs[1].shape[1], MOST_POSITIONS))


def _sums_bytes(layer: Layer, scaled: Scaling) -> int:
    return 4 * layer.inputs[1].shape[0] if _by_sums(layer, scaled) else 0


def _by_sums(layer: Layer, scaled: Scaling) -> bool:
    """Whether all sums are there before outputs are made of them."""
    return layer.inputs[1].shape[1] > MOST_POSITIONS or scaled.found is None


def _scaling(layer: Layer) -> Scaling:
    rows, r, zero_point = weight_rows(layer), requantization_of(layer), layer.inputs[0].q.zero_point
    bias = bias_values(layer, len(rows))
    return scaling_of(rows, bias, zero_point, r) or definition(rows, bias, zero_point, r)


VARIANT = Variant(__name__, fits=fits, bind=bind, needs=NEEDS, scratch_bytes=scratch_bytes)
