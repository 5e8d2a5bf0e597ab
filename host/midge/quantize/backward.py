"""Gradients through parts of a float network, in numpy, for several samples at once.

Values of activations have the samples along axis 0, which is 1 in the graph's own shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Shape

F32 = NDArray[np.float32]
Values = Mapping[str, Array]

# The difference that stands for the differential, beside the largest magnitude.
_STEP = 1e-3


def several(shape: Shape, samples: int) -> Shape:
    """The shape of the values of `samples` samples."""
    return (samples, *shape[1:])


def evaluated(graph: Graph, op: Op, values: Values) -> list[Array]:
    """What `op` gives for several samples: integers sample by sample, as they are defined."""
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    moving = [t.name for t in inputs if t.data is None]
    samples = len(values[moving[0]])
    if op.is_view:
        return [values[moving[0]].reshape(several(outputs[0].shape, samples))]
    found = []
    for i in range(samples):
        given = [t.data if t.data is not None else values[t.name][i : i + 1] for t in inputs]
        found.append(op.evaluate(inputs, outputs, given))
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def can_pull_back(graph: Graph, op: Op) -> bool:
    """Whether `pulled_back` knows this operator, as far as can be told without values."""
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    if any(t.data is None and (not t.shape or t.shape[0] != 1) for t in (*inputs, *outputs)) or len(outputs) != 1:
        return False
    known = op.is_view or op.is_elementwise or op.as_matrix(inputs) is not None
    return known or type(op).pull_back is not Op.pull_back


def pulled_back(graph: Graph, op: Op, values: Values, gradient: Array) -> Mapping[str, Array]:
    """The gradients by the activations that `op` reads, from that by its output; `values` hold what was computed."""
    inputs, output = graph.inputs_of(op), graph.outputs_of(op)[0]
    x = inputs[0]
    if op.is_view:
        return {x.name: gradient.reshape(values[x.name].shape)}
    if (form := op.as_matrix(inputs)) is not None:
        weights = np.asarray(form.weights(np.asarray(inputs[1].data)), np.float32)
        free = form.outputs((gradient * is_free(op, values[output.name])).astype(np.float32))
        return {x.name: form.back(free @ weights.transpose(0, 2, 1), values[x.name].shape)}
    given = [t.data if t.data is not None else values[t.name] for t in inputs]
    if not op.is_elementwise:
        found = op.pull_back(given, [values[output.name]], gradient)
        return {} if found is None else {x.name: found}
    gradients: dict[str, Array] = {}
    for index, tensor in enumerate(inputs):
        if tensor.data is None:
            whole = gradient * _slopes(graph, op, given, index)
            own = _summed(whole, given[index].shape)
            gradients[tensor.name] = gradients[tensor.name] + own if tensor.name in gradients else own
    return gradients


def is_free(op: Op, result: Array) -> Array:
    """Where the fused activation of `op`, if any, lets the result move."""
    low, high = getattr(op, "clamp", (-np.inf, np.inf))
    free: Array = (result > low) & (result < high)
    return free


def through(graph: Graph, ops: Sequence[Op], values: Values, name: str, gradient: Array) -> Mapping[str, Array]:
    """The gradients by every activation in front of `name`, through `ops` back to the first, from that by `name`."""
    gradients: dict[str, Array] = {name: gradient}
    for op in reversed(ops):
        if (own := gradients.get(op.outputs[0])) is None:
            continue
        for source, part in pulled_back(graph, op, values, own).items():
            gradients[source] = gradients[source] + part if source in gradients else part
    return gradients


def _slopes(graph: Graph, op: Op, given: Sequence[Array], index: int) -> Array:
    """The derivative of an elementwise operator by input `index`, by central differences in float32."""
    step = np.float32(_STEP * max(float(np.abs(given[index]).max()), 1e-6))
    ends = []
    for sign in (1, -1):
        moved = [v + sign * step if i == index else v for i, v in enumerate(given)]
        ends.append(op.evaluate(graph.inputs_of(op), graph.outputs_of(op), moved)[0])
    slopes: Array = (ends[0] - ends[1]) / (2 * step)
    return slopes


def _summed(gradient: Array, shape: Shape) -> Array:
    """Summed over the axes along which a value of `shape` was broadcast."""
    extra = gradient.ndim - len(shape)
    summed = gradient.sum(axis=tuple(range(extra)))
    stretched = tuple(i for i, (n, m) in enumerate(zip(summed.shape, shape, strict=True)) if n != m)
    return np.asarray(summed.sum(axis=stretched, keepdims=True), np.float32)
