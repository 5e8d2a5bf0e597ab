"""UNIDIRECTIONAL_SEQUENCE_LSTM for every core and shape: unit after unit, all four gates of one together.

What a step gives out is what the next one reads as h, so that only the last of them is copied to the state.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.literals import constant_data, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.unidirectional_sequence_lstm import GATES, UnidirectionalSequenceLstm, lstm_integers


def fits(layer: Layer) -> bool:
    """Constant weights."""
    return all(t.is_constant for t in layer.inputs[3:])


def bind(layer: Layer) -> Binding:
    """Weights with the rows of a unit's four gates side by side; zero points folded into what sums start from."""
    op, x = cast(UnidirectionalSequenceLstm, layer.op), layer.inputs[0]
    weights, recurrent, bias = (_by_unit(layer, 3 + GATES * k) for k in range(3))
    steps, batch = x.shape[:2] if op.time_major else x.shape[1::-1]
    units, depth = weights.shape[0], x.shape[2]
    params: dict[str, object] = {"batch": batch, "steps": steps, "units": units, "depth": depth}
    # Elements from one step of x and y to the next, and from one sample of the batch to the next.
    params |= {"stride": batch if op.time_major else 1, "apart": 1 if op.time_major else steps}
    if is_float(layer):
        clip = op.cell_clip if op.cell_clip > 0 else None
        arrays = {"weights": weights, "recurrent": recurrent, "bias": bias}
        constants = tuple(Constant(role, "float", values) for role, values in arrays.items())
        return Binding({**params, "is_float": True, "clip": clip}, constants)
    p = lstm_integers(op, layer.inputs)
    from_x = bias.astype(np.int64) - p.x_zero * weights.astype(np.int64).sum(axis=2)
    from_h = -p.h_zero * recurrent.astype(np.int64).sum(axis=2)
    constants = (
        Constant("weights", "int8_t", weights),
        Constant("recurrent", "int8_t", recurrent),
        Constant("from_x", "int32_t", from_x.astype(np.int32)),
        Constant("from_h", "int32_t", from_h.astype(np.int32)),
    )
    return Binding({**params, "is_float": False, "p": p}, constants)


def _by_unit(layer: Layer, first: int) -> Array:
    """The four constants from input `first` on, as (units, gates, ...)."""
    return np.stack([constant_data(t) for t in layer.inputs[first : first + GATES]], axis=1)


VARIANT = Variant(__name__, fits=fits, bind=bind)
