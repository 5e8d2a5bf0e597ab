"""Whole blocks go: what an addition adds to its other operand, or a layer whose output has its input's shape.

What read the block's output then reads its input; a fused activation and another scale stay behind as an operator of
their own, where the block had them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from midge.compress.apply import Material
from midge.compress.criteria import criterion_named
from midge.compress.steps import Prune
from midge.compress.weighted import find_weights, samples_for
from midge.errors import SettingsError
from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.rewrite import rewire
from midge.ir.tensor import Array, DType
from midge.ops.add import Add
from midge.ops.quantize import Quantize
from midge.ops.relu import Relu
from midge.passes.drop_dead import drop_dead
from midge.passes.drop_identities import drop_identities
from midge.quantize.quality import real_values
from midge.quantize.samples import Sample

# Judged by the scores of the weights that go; by all other criteria a block counts as far as the answers move.
_BY_WEIGHTS = ("magnitude", "gradient")
# So many samples tell how far.
_SAMPLES = 32


@dataclass(frozen=True, eq=False)
class _Without:
    """The graph without one block: how many MACs fewer, and which layers went."""

    graph: Graph
    saved: int
    layers: frozenset[str]


def without_blocks(graph: Graph, step: Prune, material: Material) -> Graph:
    """The graph without so many blocks that `step.sparsity` of its MACs are gone, each judged when others are gone.

    Raises SettingsError when there are not so many, and for what blocks cannot have.
    """
    if step.reconstruct:
        raise SettingsError("blocks leave nothing of their layers to fit", hint="leave reconstruct out, or train after")
    find_weights(graph, step.layers)
    goal, made = (1 - step.sparsity) * graph.macs, graph
    while made.macs > goal:
        found = _candidates(made, step)
        if not found:
            raise SettingsError(
                f"sparsity {step.sparsity:g} cannot be reached by blocks: those that can go are "
                f"{1 - made.macs / graph.macs:.3f} of the MACs",
                hint="a lower sparsity, or another granularity, e.g. filters",
            )
        worth = _worth(made, graph, step, material)
        values = [worth(candidate) for candidate in found]
        enough = [i for i, c in enumerate(found) if made.macs - c.saved <= goal]
        if enough:
            best = min(enough, key=lambda i: values[i])
        else:
            best = min(range(len(found)), key=lambda i: values[i] / found[i].saved)
        made = found[best].graph
    return made


def _candidates(graph: Graph, step: Prune) -> Sequence[_Without]:
    """One for each set of layers that may go: the widest way around them, past an addition where one is behind."""
    weighted = {op.name for w in find_weights(graph) for op in w.layers}
    found: dict[frozenset[str], _Without] = {}
    for op in graph.ops:
        for source in _sources(graph, op):
            made = _bypassed(graph, op, source)
            if made is None:
                continue
            left = {o.name for o in made.ops}
            gone = frozenset(weighted - left)
            if graph.macs > made.macs > 0 and gone and (not step.layers or gone <= set(step.layers)):
                found[gone] = _Without(made, graph.macs - made.macs, gone)
    return list(found.values())


def _sources(graph: Graph, op: Op) -> list[str]:
    """What may stand for the output of `op`: activations of its shape and type that it reads."""
    y = graph.tensors[op.outputs[0]]
    if not isinstance(op, Add) and tuple(op.weight_axis) != (1,):
        return []
    read = (graph.tensors[name] for name in dict.fromkeys(op.inputs))
    return [x.name for x in read if not x.is_constant and (x.shape, x.dtype) == (y.shape, y.dtype)]


def _bypassed(graph: Graph, op: Op, source: str) -> Graph | None:
    """The graph with `source` in place of what `op` gives; None where no operator says that."""
    x, y = graph.tensors[source], graph.tensors[op.outputs[0]]
    clamp = getattr(op, "clamp", NO_CLAMP)
    name = f"{op.name}/skipped"
    ops = list(graph.ops)
    place = ops.index(op)
    if clamp != NO_CLAMP:
        ops[place] = Relu(name=name, inputs=(source,), outputs=op.outputs, clamp=clamp)
    elif x.dtype is not DType.F32:
        ops[place] = Quantize(name=name, inputs=(source,), outputs=op.outputs)
    elif y.name not in graph.results:
        del ops[place]
        ops = [rewire(o, {y.name: source}) for o in ops]
    else:
        return None
    made = drop_identities(drop_dead(graph.with_ops(ops)))
    kept = next((o for o in made.ops if o.name == name), None)
    return made if kept is None or not kept.check(made.inputs_of(kept), made.outputs_of(kept)) else None


def _worth(graph: Graph, whole: Graph, step: Prune, material: Material) -> Callable[[_Without], float]:
    """How much a block counts, for blocks of `graph`, which is what is left of the `whole`."""
    if step.criterion in _BY_WEIGHTS:
        scores = _by_layer(graph, step, material)
        return lambda candidate: sum(scores[layer] for layer in candidate.layers)
    samples = samples_for(graph, material, f"the criterion {step.criterion}")
    some = [samples[int(i)] for i in np.linspace(0, len(samples) - 1, min(_SAMPLES, len(samples)))]
    wanted = [_answers(whole, sample) for sample in some]

    def error(candidate: _Without) -> float:
        given = [_answers(candidate.graph, sample) for sample in some]
        return float(sum(((a - b) ** 2).sum() for a, b in zip(wanted, given, strict=True)))

    return error


def _answers(graph: Graph, sample: Sample) -> Array:
    """The real outputs, one after the other."""
    found = zip(graph.output_tensors, interpret(graph, sample), strict=True)
    return np.concatenate([real_values(tensor, values).reshape(-1) for tensor, values in found])


def _by_layer(graph: Graph, step: Prune, material: Material) -> Mapping[str, float]:
    """The scores of each layer's weights, added up."""
    weights = find_weights(graph)
    scores = criterion_named(step.criterion).scores(graph, weights, material)
    return {op.name: float(scores[w.name].sum()) for w in weights for op in w.layers}
