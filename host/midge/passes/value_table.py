"""An operator on single int8 values, seen as the table of all 256 of them: what several exact passes reason with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Tensor
from midge.ops.lookup import Lookup

ALL_VALUES: Array = np.arange(-128, 128, dtype=np.int8)


def varying_input(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Tensor | None:
    """The one int8 tensor whose value at a place decides the int8 output there, or None when there is no such tensor.

    Other inputs may be there when they are constants of one value (x * 3), or the same tensor again (x * x).
    """
    if not op.is_elementwise or len(outputs) != 1:
        return None
    varying = {t.name: t for t in inputs if not t.is_constant}
    arrays = any(t.is_constant and t.elements != 1 for t in inputs)
    if len(varying) != 1 or (arrays and not isinstance(op, Lookup)):
        return None
    (x,) = varying.values()
    y = outputs[0]
    return x if x.dtype is DType.S8 and y.dtype is DType.S8 and x.shape == y.shape else None


def value_table(op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Array | None:
    """The outputs for -128..127 by the operator's own definition, int8 (256,); None when `varying_input` is."""
    x = varying_input(op, inputs, outputs)
    if x is None:
        return None
    flat = [t if t.is_constant else replace(t, shape=(256,)) for t in inputs]
    values = [ALL_VALUES if t.data is None else t.data for t in flat]
    (table,) = op.evaluate(flat, [replace(outputs[0], shape=(256,))], values)
    return table.reshape(256)
