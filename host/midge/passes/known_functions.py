"""Float operators that together are a known function of one tensor become that function: GELU, HARD_SWISH and such.

Exporters write these as sums, products and clamps, in any order. They are told by what they compute: every value that
depends on one tensor and on single constants alone is tried at many points, and compared with the functions that midge
has as one operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Tensor
from midge.ops.elu import Elu
from midge.ops.gelu import Gelu
from midge.ops.hard_swish import HardSwish
from midge.ops.logistic import Logistic
from midge.ops.tanh import Tanh

_POINTS = np.concatenate([np.linspace(-12, 12, 481), np.linspace(-0.1, 0.1, 21)]).astype(np.float32)
# How far a recognized function may be off, against 1 plus its value; GELU and its approximation are 20 times as far.
_NEAR = 2e-5
_X, _Y = ("x",), ("y",)
_FUNCTIONS: tuple[Op, ...] = (
    Gelu(name="", inputs=_X, outputs=_Y, approximate=False),
    Gelu(name="", inputs=_X, outputs=_Y, approximate=True),
    *(kind(name="", inputs=_X, outputs=_Y) for kind in (HardSwish, Elu, Logistic, Tanh)),
)


@dataclass(frozen=True, eq=False)
class _Curve:
    """A tensor that is a function of `source` alone: what it is at the points."""

    source: str
    values: Array


def known_functions(graph: Graph) -> Graph:
    """The graph with one operator for each known function that several operators compute; drop_dead takes the rest."""
    points = Tensor("x", _POINTS.shape, DType.F32)
    with np.errstate(all="ignore"):
        known = [(function, function.evaluate([points], [points], [_POINTS])[0]) for function in _FUNCTIONS]
    curves: dict[str, _Curve] = {}
    ops: list[Op] = []
    for op in graph.ops:
        curve = _curve(op, graph, curves)
        if curve is not None:
            curves[op.outputs[0]] = curve
        function = None if curve is None or _is_one_step(op, graph, curve) else _matching(curve, known)
        if function is None or curve is None:
            ops.append(op)
        else:
            ops.append(replace(function, name=op.name, inputs=(curve.source,), outputs=op.outputs))
    return graph.with_ops(ops)


def _is_one_step(op: Op, graph: Graph, curve: _Curve) -> bool:
    """Whether `op` alone is the function of its source: nothing is gained."""
    return all(t.is_constant or t.name == curve.source for t in graph.inputs_of(op)) and len(op.inputs) == 1


def _curve(op: Op, graph: Graph, curves: dict[str, _Curve]) -> _Curve | None:
    """What `op` gives at the points, or None where that is no function of one tensor of its output's shape."""
    inputs, y = graph.inputs_of(op), graph.tensors[op.outputs[0]]
    computed = [t for t in inputs if not t.is_constant]
    if not op.is_elementwise or len(op.outputs) != 1 or y.dtype is not DType.F32 or not computed:
        return None
    if any(t.dtype is not DType.F32 or (t.is_constant and t.elements != 1) for t in inputs):
        return None
    sources = {curves[t.name].source if t.name in curves else t.name for t in computed}
    if len(sources) != 1:
        return None
    (source,) = sources
    if graph.tensors[source].shape != y.shape:
        return None
    values = [_at_points(t, curves) for t in inputs]
    points = Tensor("y", _POINTS.shape, DType.F32)
    with np.errstate(all="ignore"):
        return _Curve(source, op.evaluate([points] * len(inputs), [points], values)[0])


def _at_points(t: Tensor, curves: dict[str, _Curve]) -> Array:
    if t.data is not None:
        return np.full(_POINTS.shape, t.data.reshape(-1)[0], np.float32)
    return curves[t.name].values if t.name in curves else _POINTS


def _matching(curve: _Curve, known: Sequence[tuple[Op, Array]]) -> Op | None:
    for function, values in known:
        if (np.abs(curve.values - values) <= _NEAR * (1 + np.abs(values))).all():
            return function
    return None
