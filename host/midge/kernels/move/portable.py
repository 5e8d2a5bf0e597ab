"""All operators that only move elements, for every core and type: loops with strides, tables where there are none."""

from __future__ import annotations

from typing import cast

import numpy as np

from midge.ir.graph import Array
from midge.kernels.index_map import Walk, walk
from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant
from midge.ops.families.move import FILL, Move, fill_value


def fits(layer: Layer) -> bool:
    """Any type, moved as it is."""
    return all(y.dtype is layer.inputs[0].dtype for y in layer.outputs)


def bind(layer: Layer) -> Binding:
    """A nest of loops for each output."""
    x = layer.inputs[0]
    walks = [walk(found, x.elements) for found in cast(Move, layer.op).positions(layer.inputs)]
    tables = [_tables(found, index) for index, found in enumerate(walks)]
    outputs = [_nest(found, index) for index, found in enumerate(walks)]
    constants = [Constant("in0", x.dtype.c_type, constant_data(x))] if x.is_constant else []
    params = {"outputs": outputs, "fill": fill_value(layer.outputs[0])}
    return Binding(params, (*constants, *(table for found in tables for table in found)))


def overlap(layer: Layer) -> int | None:
    """How far the output may have come when an element of the input is read for the last time."""
    if len(layer.outputs) > 1 or layer.inputs[0].is_constant:
        return None
    (positions,) = cast(Move, layer.op).positions(layer.inputs)
    flat = positions.reshape(-1)
    read = np.where(flat == FILL, layer.inputs[0].elements, flat)
    unread = np.minimum.accumulate(read[::-1])[::-1]
    return int((np.arange(len(flat)) - unread).max()) * layer.inputs[0].dtype.bytes


def _nest(found: Walk, output: int) -> dict[str, object]:
    names = [f"i{k}" for k in range(len(found.loops))] if len(found.loops) > 1 else ["i"][: len(found.loops)]
    tabled = [k for k, loop in enumerate(found.loops) if loop.table is not None]
    return {
        "names": names,
        "sizes": [loop.size for loop in found.loops],
        "start": found.start,
        "variables": [_role(output, k) + f"[{name}]" if k in tabled else name for k, name in enumerate(names)],
        "factors": [1 if k in tabled else loop.stride for k, loop in enumerate(found.loops)],
        "fills": found.fills,
    }


def _tables(found: Walk, output: int) -> list[Constant]:
    tables = [(k, loop.table) for k, loop in enumerate(found.loops) if loop.table is not None]
    return [_table(_role(output, k), values) for k, values in tables]


def _table(role: str, values: Array) -> Constant:
    narrow = np.array_equal(values.astype(np.int16), values)
    return Constant(role, "int16_t" if narrow else "int32_t", values.astype(np.int16 if narrow else np.int32))


def _role(output: int, loop: int) -> str:
    return f"places{output}_{loop}"


VARIANT = Variant(__name__, fits=fits, bind=bind, overlap=overlap)
