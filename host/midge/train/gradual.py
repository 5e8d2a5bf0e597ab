"""Pruning while training: masks that grow by a schedule, and what they have emptied taken away in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from midge.compress import prune
from midge.compress.apply import Material
from midge.compress.steps import Train
from midge.compress.weighted import find_weights
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.train.loop import Schedule
from midge.train.module import GraphModule

# The part of training after which nothing more goes: what is left needs the rest to recover.
_ENOUGH = 0.6
# So many epochs tell how much a weight moves.
_LOOKS_BACK = 4


def schedule_of(options: Train, material: Material) -> Schedule | None:
    """Masks for each epoch that make `options.prune` come true, judged by the weights of that epoch; none without."""
    step = options.prune
    if step is None:
        return None
    prune.check(step)
    final: dict[str, Array] = {}
    past: list[dict[str, Array]] = []

    def masks(done: float, module: GraphModule) -> Mapping[str, Array]:
        if final:
            return final
        part = msgspec.structs.replace(step, sparsity=prune.cubic(step.sparsity, done / _ENOUGH))
        graph = module.to_graph()
        past.append({w.name: w.real for w in find_weights(graph)})
        found = prune.masks(graph, part, replace(material, snapshots=past[-_LOOKS_BACK:]))
        if done >= _ENOUGH:
            final.update(found)
        return found

    return masks


def finished(graph: Graph, options: Train, material: Material) -> Graph:
    """The trained graph, without the filters that only have zeros left."""
    step = options.prune
    if step is None or step.granularity != "filters":
        return graph
    return prune.apply(graph, msgspec.structs.replace(step, rounds=1, reconstruct=False), material)
