"""All operators that only move elements, for every core and type: loops with strides, tables where there are none."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.tensor import Array
from midge.kernels.index_map import Walk, walk
from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.families.move import FILL, Move, fill_value


def fits(layer: Layer) -> bool:
    """Any type, moved as it is; one output (see midge.passes.slice_parts)."""
    return len(layer.outputs) == 1 and layer.outputs[0].dtype is layer.inputs[0].dtype


def bind(layer: Layer) -> Binding:
    """A nest of loops over the output."""
    x = layer.inputs[0]
    (positions,) = cast(Move, layer.op).positions(layer.inputs)
    found = walk(positions, x.elements)
    constants = [Constant("in0", x.dtype.c_type, constant_data(x))] if x.is_constant else []
    return Binding({**_nest(found), "fill": fill_value(layer.outputs[0])}, (*constants, *_tables(found)))


def overlap(layer: Layer) -> int | None:
    """How far the output may have come when an element of the input is read for the last time."""
    if layer.inputs[0].is_constant:
        return None
    (positions,) = cast(Move, layer.op).positions(layer.inputs)
    flat = positions.reshape(-1)
    read = np.where(flat == FILL, layer.inputs[0].elements, flat)
    unread = np.minimum.accumulate(read[::-1])[::-1]
    return int((np.arange(len(flat)) - unread).max()) * layer.inputs[0].dtype.bytes


def _nest(found: Walk) -> dict[str, object]:
    names = [f"i{k}" for k in range(len(found.loops))] if len(found.loops) > 1 else ["i"][: len(found.loops)]
    tabled = [k for k, loop in enumerate(found.loops) if loop.table is not None]
    return {
        "names": names,
        "sizes": [loop.size for loop in found.loops],
        "start": found.start,
        "variables": [f"places{k}[{name}]" if k in tabled else name for k, name in enumerate(names)],
        "factors": [1 if k in tabled else loop.stride for k, loop in enumerate(found.loops)],
        "fills": found.fills,
    }


def _tables(found: Walk) -> list[Constant]:
    return [_table(f"places{k}", loop.table) for k, loop in enumerate(found.loops) if loop.table is not None]


def _table(role: str, values: Array) -> Constant:
    narrow = np.array_equal(values.astype(np.int16), values)
    return Constant(role, "int16_t" if narrow else "int32_t", values.astype(np.int16 if narrow else np.int32))


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap)
