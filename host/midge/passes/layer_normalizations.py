"""Float means, squares and roots that together normalize the last dimension become one LAYER_NORMALIZATION."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.rewrite import count_readers, fresh_name
from midge.ir.tensor import Array, DType, Tensor
from midge.ops.add import Add
from midge.ops.div import Div
from midge.ops.layer_normalization import LayerNormalization
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.rsqrt import Rsqrt
from midge.ops.sqrt import Sqrt
from midge.ops.square import Square
from midge.ops.squared_difference import SquaredDifference
from midge.ops.sub import Sub


@dataclass(frozen=True)
class _Normal:
    """(x - mean) / sqrt(variance + epsilon) of x."""

    x: str
    epsilon: float


def layer_normalizations(graph: Graph) -> Graph:
    """The graph with one operator for each normalization, its scale and offset in it; drop_dead takes the rest."""
    writers = {name: op for op in graph.ops for name in op.outputs}
    readers, tensors = count_readers(graph), dict(graph.tensors)
    ops: list[Op] = []
    made: dict[str, LayerNormalization] = {}
    for op in graph.ops:
        normal = _normal(op, graph, writers)
        before = None if normal is not None else _widened(op, graph, made, readers)
        if normal is not None:
            op = _one_operator(op, normal, tensors)
        elif before is not None:
            op = _with_affine(op, before, tensors)
        if isinstance(op, LayerNormalization):
            made[op.outputs[0]] = op
        ops.append(op)
    return replace(graph, tensors=tensors).with_ops(ops)


def _normal(op: Op, graph: Graph, writers: Mapping[str, Op]) -> _Normal | None:
    """What `op` finishes: a product with the inverse root, or a quotient by the root."""
    if not isinstance(op, Mul | Div) or op.clamp != NO_CLAMP or graph.tensors[op.outputs[0]].dtype is not DType.F32:
        return None
    pairs = [op.inputs, op.inputs[::-1]] if isinstance(op, Mul) else [op.inputs]
    for centered, root in pairs:
        difference, inverse = writers.get(centered), writers.get(root)
        wanted = Rsqrt if isinstance(op, Mul) else Sqrt
        if not isinstance(difference, Sub) or not isinstance(inverse, wanted) or difference.clamp != NO_CLAMP:
            continue
        x, mean = difference.inputs
        if not _is_mean(writers.get(mean), x, graph):
            continue
        epsilon = _epsilon(writers.get(inverse.inputs[0]), centered, x, mean, graph, writers)
        if epsilon is not None:
            return _Normal(x, epsilon)
    return None


def _is_mean(op: Op | None, x: str, graph: Graph) -> bool:
    last = (len(graph.tensors[x].shape) - 1,)
    return isinstance(op, Mean) and op.inputs == (x,) and op.axes == last and op.keep_dims


def _epsilon(
    above: Op | None, centered: str, x: str, mean: str, graph: Graph, writers: Mapping[str, Op]
) -> float | None:
    """The constant that `above` adds to the variance of x, or None where it is no such sum."""
    if not isinstance(above, Add) or above.clamp != NO_CLAMP:
        return None
    for variance, added in (above.inputs, above.inputs[::-1]):
        constant, average = graph.tensors[added], writers.get(variance)
        if constant.data is None or constant.elements != 1 or average is None:
            continue
        squares = writers.get(average.inputs[0])
        if squares is None or not _is_mean(average, squares.outputs[0], graph):
            continue
        is_square = isinstance(squares, Square) and squares.inputs == (centered,)
        is_product = isinstance(squares, Mul) and squares.inputs == (centered, centered) and squares.clamp == NO_CLAMP
        is_difference = isinstance(squares, SquaredDifference) and set(squares.inputs) == {x, mean}
        if is_square or is_product or is_difference:
            return float(constant.data.reshape(-1)[0])
    return None


def _one_operator(op: Op, normal: _Normal, tensors: dict[str, Tensor]) -> Op:
    depth = tensors[normal.x].shape[-1]
    scale, offset = np.ones(depth, np.float32), np.zeros(depth, np.float32)
    found = _made(op, normal.x, normal.epsilon, scale, offset, tensors)
    return op if found.check([tensors[n] for n in found.inputs], [tensors[n] for n in found.outputs]) else found


def _widened(
    op: Op, graph: Graph, made: Mapping[str, LayerNormalization], readers: Mapping[str, int]
) -> LayerNormalization | None:
    """The normalization that alone feeds `op`, a product with or sum of a constant per element of the dimension."""
    if not isinstance(op, Add | Mul) or op.clamp != NO_CLAMP:
        return None
    for name, other in (op.inputs, op.inputs[::-1]):
        before, constant = made.get(name), graph.tensors[other]
        depth = graph.tensors[name].shape[-1:]
        if before is None or readers[name] != 1 or constant.data is None:
            continue
        if constant.elements == 1 or (constant.shape[-1:] == depth and constant.elements == depth[0]):
            return before
    return None


def _with_affine(op: Op, before: LayerNormalization, tensors: dict[str, Tensor]) -> Op:
    scale, offset = (np.asarray(tensors[name].data, np.float32) for name in before.inputs[1:])
    given = next(tensors[name].data for name in op.inputs if tensors[name].data is not None)
    values = np.broadcast_to(np.asarray(given, np.float32).reshape(-1), scale.shape)
    if isinstance(op, Mul):
        scale, offset = scale * values, offset * values
    else:
        offset = offset + values
    return _made(op, before.inputs[0], before.epsilon, scale, offset, tensors)


def _made(
    op: Op, x: str, epsilon: float, scale: Array, offset: Array, tensors: dict[str, Tensor]
) -> LayerNormalization:
    names = []
    for role, values in (("scale", scale), ("offset", offset)):
        name = fresh_name(f"{op.name}/{role}", tensors)
        tensors[name] = Tensor(name, values.shape, DType.F32, None, np.ascontiguousarray(values, np.float32))
        names.append(name)
    return LayerNormalization(name=op.name, inputs=(x, *names), outputs=op.outputs, epsilon=epsilon)
