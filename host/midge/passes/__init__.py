"""Passes: plain functions Graph -> Graph that keep every integer output as it is.

CANONICALIZE is for any graph, as it comes from a file. OPTIMIZE is for the graph that is deployed; it leaves float
operators alone. The order is the order of the tuples. store_states comes last, when the graph becomes C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from midge.ir.graph import Graph
from midge.ir.verify import verify
from midge.passes.constant_channels import drop_constant_channels
from midge.passes.drop_dead import drop_dead
from midge.passes.drop_identities import drop_identities
from midge.passes.find_levels import find_levels
from midge.passes.fold_affine import fold_affine
from midge.passes.fold_constants import fold_constants
from midge.passes.fuse_activations import fuse_activations
from midge.passes.known_functions import known_functions
from midge.passes.layer_normalizations import layer_normalizations
from midge.passes.merge_tables import merge_tables
from midge.passes.merge_views import merge_views
from midge.passes.one_channel_convolutions import one_channel_convolutions
from midge.passes.pool_edges import pool_edges
from midge.passes.requantize_integers import requantize_integers
from midge.passes.sink_transposes import sink_transposes
from midge.passes.sink_views import sink_views
from midge.passes.slice_parts import slice_parts
from midge.passes.store_states import store_states
from midge.passes.tables_for_unary import tables_for_unary

Pass = Callable[[Graph], Graph]

CANONICALIZE: tuple[Pass, ...] = (
    fold_constants,
    slice_parts,
    drop_dead,
    sink_transposes,
    sink_views,
    merge_views,
    drop_identities,
    pool_edges,
    layer_normalizations,
    known_functions,
    drop_dead,
    fold_affine,
    fuse_activations,
    drop_dead,
)
OPTIMIZE: tuple[Pass, ...] = (
    requantize_integers,
    tables_for_unary,
    merge_tables,
    drop_constant_channels,
    one_channel_convolutions,
    drop_identities,
    drop_dead,
    find_levels,
)

__all__ = [
    "CANONICALIZE",
    "OPTIMIZE",
    "Pass",
    "drop_constant_channels",
    "drop_dead",
    "drop_identities",
    "find_levels",
    "fold_affine",
    "fold_constants",
    "fuse_activations",
    "known_functions",
    "layer_normalizations",
    "merge_tables",
    "merge_views",
    "one_channel_convolutions",
    "pass_name",
    "pool_edges",
    "requantize_integers",
    "run_passes",
    "sink_transposes",
    "sink_views",
    "slice_parts",
    "store_states",
    "tables_for_unary",
]


def run_passes(graph: Graph, passes: Sequence[Pass], after: Callable[[str, Graph], None] | None = None) -> Graph:
    """Run `passes` in order and verify after each; `after(name, graph)` sees what each pass made."""
    before = None
    for function in passes:
        graph = before = verify(function(graph), before)
        if after is not None:
            after(pass_name(function), graph)
    return graph


def pass_name(function: Pass) -> str:
    """What a pass is called, also when its parameters are bound with functools.partial."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)
