"""Walks through an integer network layer by layer, the float network beside it, and lets each layer be made better.

What a layer is made better with are the integers that really reach it: the error of all earlier layers, already made as
small as it gets, is in them. That is what "sequential" means in bias correction and in AdaRound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.interpreter import interpret_all
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor
from midge.progress import Progress, silent
from midge.quantize.quality import as_wanted
from midge.quantize.samples import Samples

# What the values of all samples may take at once.
MOST_BYTES = 512 << 20


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of an integer network: `inputs[i]` are the integers that reach it for sample i, one array per input
    that is not constant; `wanted[i]` is what the float layer of the same name gives there.

    `tensors` and `outputs` are those of `op` in the integer network, `float_tensors` its inputs in the float one.
    """

    op: Op
    tensors: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    float_tensors: tuple[Tensor, ...]
    inputs: Sequence[tuple[Array, ...]]
    wanted: Sequence[Array]

    def evaluate(self, tensors: Sequence[Tensor] | None = None) -> list[Array]:
        """The first output for every sample, with other constants when `tensors` are given."""
        used = self.tensors if tensors is None else tensors
        found = []
        for sample in self.inputs:
            moving = iter(sample)
            values = [t.data if t.data is not None else next(moving) for t in used]
            found.append(self.op.evaluate(used, self.outputs, values)[0])
        return found


# Better constants for a layer: tensors that replace those of the same name; none where it is best as it is.
Step = Callable[[Layer], Sequence[Tensor]]


def refine(
    graph: Graph, float_graph: Graph, samples: Samples, step: Step, progress: Progress = silent, what: str = "refining"
) -> Graph:
    """The integer `graph` with the constants that `step` gives for each layer that has weights, in order.

    `float_graph` has a layer of the same name for each of them. Fewer `samples` are used where they would not fit in
    memory.
    """
    some = samples_that_fit(float_graph, samples)
    values = [_inputs(graph, sample) for sample in some]
    wanted = [_outputs(float_graph, sample) for sample in some]
    by_name = {op.name: op for op in float_graph.ops}
    tensors = dict(graph.tensors)
    for index in progress(range(len(graph.ops)), what):
        op = graph.ops[index]
        if op.weight_axis and op.name in by_name:
            layer = _layer(op, tensors, by_name[op.name], float_graph, values, wanted)
            tensors.update((t.name, t) for t in step(layer))
        used = tuple(tensors[n] for n in op.inputs)
        made = tuple(tensors[n] for n in op.outputs)
        for known in values:
            given = [t.data if t.data is not None else known[t.name] for t in used]
            known.update(zip(op.outputs, op.evaluate(used, made, given), strict=True))
        _forget(graph, index, values)
    return replace(graph, tensors=tensors)


def _layer(
    op: Op,
    tensors: Mapping[str, Tensor],
    float_op: Op,
    float_graph: Graph,
    values: Sequence[Mapping[str, Array]],
    wanted: Sequence[Mapping[str, Array]],
) -> Layer:
    used = tuple(tensors[n] for n in op.inputs)
    moving = [t.name for t in used if not t.is_constant]
    return Layer(
        op,
        used,
        tuple(tensors[n] for n in op.outputs),
        float_graph.inputs_of(float_op),
        [tuple(known[n] for n in moving) for known in values],
        [known[float_op.outputs[0]] for known in wanted],
    )


def samples_that_fit(graph: Graph, samples: Samples) -> Samples:
    """As many of `samples`, spread over them, as have all their values in memory at once."""
    each = sum(t.bytes for t in graph.tensors.values() if not t.is_constant)
    most = max(1, MOST_BYTES // max(each, 1))
    if len(samples) <= most:
        return samples
    return [samples[int(i)] for i in np.linspace(0, len(samples) - 1, most)]


def _inputs(graph: Graph, sample: Sequence[Array]) -> dict[str, Array]:
    return {t.name: as_wanted(t, v) for t, v in zip(graph.input_tensors, sample, strict=True)}


def _outputs(graph: Graph, sample: Sequence[Array]) -> dict[str, Array]:
    """What the layers with weights give in float."""
    found = interpret_all(graph, sample)
    return {op.outputs[0]: found[op.outputs[0]] for op in graph.ops if op.weight_axis}


def _forget(graph: Graph, index: int, values: Sequence[dict[str, Array]]) -> None:
    """Drops what no later operator reads."""
    later = {n for op in graph.ops[index + 1 :] for n in op.inputs}
    for name in {*graph.ops[index].inputs, *graph.ops[index].outputs} - later:
        for known in values:
            known.pop(name, None)
