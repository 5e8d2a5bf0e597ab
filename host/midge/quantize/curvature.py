"""How much each value inside a float network matters to its answer: the diagonal of the Fisher information.

Source: Li et al., BRECQ, arXiv 2102.05426, section 3.3, which samples labels; here the expectation over the network's
own answers is taken exactly, or over a few random directions where there are many outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.ops.softmax import Softmax
from midge.quantize.backward import Values, can_pull_back, through

# So many outputs are taken one by one.
_MOST_OUTPUTS = 16


def curvature(graph: Graph, values: Values, names: Sequence[str], seed: int) -> Mapping[str, Array]:
    """For each activation in `names` that gradients reach: E[(d log p / d a)^2] of a classifier that ends in SOFTMAX,
    else the squared slopes of the outputs; of the shape of its values."""
    ops = list(graph.ops)
    classes: Array | None = None
    while ops and not can_pull_back(graph, ops[-1]):
        last = ops.pop()
        if isinstance(last, Softmax) and len(graph.outputs) == 1 and last.outputs[0] == graph.outputs[0]:
            classes = values[last.outputs[0]]
    if not ops or not all(can_pull_back(graph, op) for op in ops):
        ops = ops[_first_differentiable(graph, ops) :]
    if not ops:
        return {}
    end = ops[-1].outputs[0]
    total: dict[str, Array] = {}
    for gradient in _directions(values[end], classes, seed):
        found = through(graph, ops, values, end, gradient)
        for name in (n for n in names if n in found):
            squared = found[name] ** 2
            total[name] = total[name] + squared if name in total else squared
    return total


def _first_differentiable(graph: Graph, ops: Sequence[object]) -> int:
    """Behind the last operator that gradients cannot pass."""
    stuck = [i for i, op in enumerate(graph.ops[: len(ops)]) if not can_pull_back(graph, op)]
    return stuck[-1] + 1 if stuck else 0


def _directions(end: Array, classes: Array | None, seed: int) -> list[Array]:
    """Gradients by the last differentiable activation whose squares, brought back, sum up to the curvature."""
    flat = end.reshape(len(end), -1)
    count = flat.shape[1]
    if classes is not None and count <= _MOST_OUTPUTS:
        p = classes.reshape(len(end), -1)
        rows = [(np.eye(count, dtype=np.float32)[c] - p) * np.sqrt(p[:, c : c + 1]) for c in range(count)]
    elif count <= _MOST_OUTPUTS:
        rows = [np.broadcast_to(np.eye(count, dtype=np.float32)[c], flat.shape) for c in range(count)]
    else:
        rng = np.random.default_rng(seed)
        signs = rng.choice(np.array([-1, 1], np.float32), (_MOST_OUTPUTS, *flat.shape))
        rows = list(signs / np.float32(np.sqrt(_MOST_OUTPUTS)))
    return [np.asarray(row, np.float32).reshape(end.shape) for row in rows]
