"""Every state gets its next value where it lives: by the kernel that computes it, or by a copy when the call ends.

Afterwards the memory of a state and that of its next value can be one: whoever reads the state has done so before the
next value is written, and what the network gives out lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name, rewire
from midge.ops.copy import Copy


def store_states(graph: Graph) -> Graph:
    """The graph with a copy wherever a state and its next value cannot share memory, or an output would lie in it."""
    return _store(_give_out(graph)) if graph.updates else graph


def roots_of(graph: Graph) -> dict[str, str]:
    """The tensor whose memory each tensor has: itself, or the root of the views that lead to it."""
    roots = {name: name for name in graph.tensors}
    for op in graph.ops:
        if op.is_view:
            roots[op.outputs[0]] = roots[op.inputs[0]]
    return roots


def _give_out(graph: Graph) -> Graph:
    """Outputs that are a state, its next value, or a view of either, become copies."""
    roots, kept = roots_of(graph), {*graph.results[len(graph.outputs) :], *graph.updates}
    renamed: dict[str, str] = {}
    tensors = dict(graph.tensors)
    for name in graph.outputs:
        if name in graph.updates.values() or roots[name] in kept:
            renamed[name] = fresh_name(f"{name}/kept", tensors)
            tensors[renamed[name]] = replace(tensors[name], name=renamed[name])
    ops = [rewire(op, renamed) for op in graph.ops]
    ops += [Copy(name=f"{name}/copy", inputs=(kept_as,), outputs=(name,)) for name, kept_as in renamed.items()]
    updates = {state: renamed.get(update, update) for state, update in graph.updates.items()}
    return replace(graph, tensors=tensors, updates=updates).with_ops(ops)


def _store(graph: Graph) -> Graph:
    roots = roots_of(graph)
    updates, ops, tensors = dict(graph.updates), list(graph.ops), dict(graph.tensors)
    late = [state for state, update in updates.items() if state != update and not _is_stored(graph, state, roots)]

    def copy(source: str, wanted: str) -> str:
        name = fresh_name(wanted, tensors)
        tensors[name] = replace(tensors[source], name=name, data=None, initial=None)
        ops.append(Copy(name=name, inputs=(source,), outputs=(name,)))
        return name

    # A state that becomes what another one was: read all of them before any is overwritten.
    for state in late:
        if roots[updates[state]] in graph.updates:
            updates[state] = copy(updates[state], f"{state}/was")
    for state in late:
        updates[state] = copy(updates[state], f"{state}/next")
    return replace(graph, tensors=tensors, updates=updates).with_ops(ops)


def _is_stored(graph: Graph, state: str, roots: Mapping[str, str]) -> bool:
    """Whether the kernel that computes the state's next value can write it into the state's memory."""
    update = graph.updates[state]
    if list(graph.updates.values()).count(update) > 1 or roots[update] != update:
        return False
    written = _index(graph.ops, update)
    if written is None:
        return False
    writer = graph.ops[written]
    in_place = {writer.inputs[i] for i, o in writer.updates.items() if writer.outputs[o] == update}
    readers = [
        i
        for i, op in enumerate(graph.ops)
        for name in op.inputs
        if roots[name] == state and not op.is_view and not (i == written and name in in_place)
    ]
    ends = [name for name in graph.results if roots[name] == state]
    return not ends and all(reader < written for reader in readers)


def _index(ops: Iterable[Op], name: str) -> int | None:
    return next((i for i, op in enumerate(ops) if name in op.outputs), None)
