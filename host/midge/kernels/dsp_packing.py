"""Which packing of weights the kernels for 16-bit SIMD unpack in registers: integers of few bits, or indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from midge.ir.tensor import Array
from midge.kernels.indexed_channels import TABLE_BYTES, can_index, indexed_stream, widened
from midge.kernels.narrow import Narrow, Packing, packings
from midge.kernels.narrow_channels import can_interleave, narrow_stream
from midge.kernels.paired_channels import Stream, Sums
from midge.kernels.variant import Layer
from midge.numerics.requantize import Requantization

# So many pairs of positions share a word.
PAIRS: Mapping[Packing, int] = {"int4": 1, "index4": 1, "int2": 2, "index2": 2, "ternary": 2, "binary": 4}


def dsp_packing(
    layer: Layer, sums: Sums, r: Requantization, order: Callable[[Narrow], Array], binary: bool = True
) -> Narrow | None:
    """The first packing of the layer's weights that the kernels have; None where there is none.

    `order` says which position each activation of the buffer holds. Without `binary` such weights count as ternary.
    """
    for found in packings(layer):
        if not binary and found.width == "binary":
            found = replace(found, width="ternary")
        if found.table is None:
            if can_interleave(found, sums, r):
                return found
            continue
        for indexed in (found, widened(found)) if found.width == "index2" else (found,):
            if indexed.width in PAIRS and can_index(indexed, sums, r, order(indexed)):
                return indexed
    return None


def packed_stream(found: Narrow, sums: Sums, r: Requantization, order: Array) -> Stream:
    """What `dsp_packing` found, in the order of the kernel's buffer."""
    make = narrow_stream if found.table is None else indexed_stream
    return make(found, sums, r, order)


def table_bytes(found: Narrow | None) -> int:
    """Scratch memory for what indices stand for."""
    return TABLE_BYTES if found is not None and found.table is not None else 0
