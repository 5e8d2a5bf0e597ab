"""PAD and PADV2, for every core and shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import cast

import numpy as np

from midge.kernels.literals import is_either, is_float
from midge.kernels.variant import Binding, Layer, Variant
from midge.ops.pad import Pad

# A dimension as (before, size, after), in elements of what is inside it.
_Padded = tuple[int, int, int]


def bind(layer: Layer) -> Binding:
    """One pass over the output: zeros before, a run or a loop, zeros after, for each dimension that is padded."""
    op, shape = cast(Pad, layer.op), layer.inputs[0].shape
    dims = _joined([(before, n, after) for n, (before, after) in zip(shape, op.paddings, strict=True)])
    inside = [prod(sum(d) for d in dims[i + 1 :]) for i in range(len(dims))]
    loops = [
        {"before": before * block, "size": n, "after": after * block}
        for (before, n, after), block in zip(dims, inside, strict=True)
    ]
    y = layer.outputs[0]
    return Binding({"loops": loops, "fill": op.fill(y), "is_float": is_float(layer), "element": y.dtype.c_type})


def overlap(layer: Layer) -> int:
    """The output's lead over the input is largest where the last element is copied."""
    op, (x, y) = cast(Pad, layer.op), (layer.inputs[0], layer.outputs[0])
    last = [before + n - 1 for n, (before, _) in zip(x.shape, op.paddings, strict=True)]
    position = int(np.ravel_multi_index(last, y.shape)) if last else 0
    return (position - (x.elements - 1)) * x.dtype.bytes


def _joined(dims: Sequence[_Padded]) -> list[_Padded]:
    """Dimensions without padding become part of the one before; the last one is the run that is copied."""
    result: list[_Padded] = [(0, 1, 0)]
    for before, n, after in dims:
        outer_before, outer_n, outer_after = result[-1]
        if before == after == 0:
            result[-1] = (outer_before * n, outer_n * n, outer_after * n)
        elif (outer_before, outer_n, outer_after) == (0, 1, 0):
            result[-1] = (before, n, after)
        else:
            result.append((before, n, after))
    return result


VARIANT = Variant(__name__, fits=is_either, bind=bind, overlap=overlap)
