"""LOG_SOFTMAX of float32 and int8, for every core and shape. In int8 e^x comes from a table of possible differences."""

from __future__ import annotations

import numpy as np

from midge.kernels.literals import in_place, is_float
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.numerics.fixed_point import rounding_divide_by_pot
from midge.ops.log_softmax import OUTPUT_SHIFT
from midge.ops.softmax import SUM_INTEGER_BITS, scaled_differences, softmax_exponentials, softmax_parameters

# A difference of 16 in Q5: beyond it the output is the lowest whatever the sum.
_FARTHEST = -(1 << 30)


def bind(layer: Layer) -> Binding:
    """Rows of the last dimension; the table ends where exponentials become 0."""
    shape = layer.inputs[0].shape
    params: dict[str, object] = {"rows": layer.inputs[0].elements // shape[-1], "depth": shape[-1]}
    if is_float(layer):
        return Binding({**params, "is_float": True})
    parameters = softmax_parameters(1.0, layer.inputs)
    exponentials = rounding_divide_by_pot(softmax_exponentials(parameters), SUM_INTEGER_BITS).astype(np.int32)
    entries = int(np.flatnonzero(exponentials)[-1]) + 1
    said = (-np.arange(256) >= parameters.diff_min) & (scaled_differences(parameters) > _FARTHEST)
    params |= {
        "is_float": False,
        "entries": entries,
        "said": int(said.sum()),
        "multiplier": parameters.multiplier,
        "left_shift": parameters.left_shift,
        "output_shift": OUTPUT_SHIFT,
    }
    return Binding(params, (Constant("exponentials", "int32_t", exponentials[:entries]),))


def fits(layer: Layer) -> bool:
    """Float32 and int8."""
    return len(layer.inputs) == 1


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=in_place)
