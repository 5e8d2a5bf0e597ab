"""Float: a factor or an offset per channel behind a layer becomes part of its weights (batch normalization, bias)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import NO_CLAMP, Graph, Op
from midge.ir.rewrite import count_readers, fresh_name
from midge.ir.tensor import Array, DType, Tensor
from midge.ops.add import Add
from midge.ops.mul import Mul
from midge.ops.sub import Sub


def fold_affine(graph: Graph) -> Graph:
    """The graph with each float MUL, ADD and SUB of a constant folded into the layer that alone feeds it.

    Integer layers stay as they are. Sums are rounded elsewhere than before, within a float's precision.
    """
    readers = count_readers(graph)
    tensors = dict(graph.tensors)
    written_at: dict[str, int] = {}
    ops: list[Op] = []
    for op in graph.ops:
        source = _source(op, tensors)
        place = written_at.get(source, -1) if source and readers[source] == 1 else -1
        folded = None if place < 0 else _folded(ops[place], op, tensors)
        if folded is None:
            written_at.update(dict.fromkeys(op.outputs, len(ops)))
            ops.append(op)
        else:
            ops[place] = folded
            written_at[op.outputs[0]] = place
    return replace(graph, tensors=tensors).with_ops(ops)


def _source(op: Op, tensors: dict[str, Tensor]) -> str:
    """What `op` adds a constant to or multiplies by one, or "" when it is no such operator."""
    if not isinstance(op, Add | Mul | Sub) or tensors[op.outputs[0]].dtype is not DType.F32:
        return ""
    computed = [name for name in op.inputs if not tensors[name].is_constant]
    return computed[0] if len(computed) == 1 else ""


def _folded(layer: Op, op: Op, tensors: dict[str, Tensor]) -> Op | None:
    """`layer` doing what `op` does too, its new constants in `tensors`; None when it cannot."""
    if layer.bias_input is None or getattr(layer, "clamp", None) != NO_CLAMP or 1 not in layer.weight_axis:
        return None
    if tensors[layer.inputs[1]].dtype is not DType.F32:
        return None
    weights, axis = tensors[layer.inputs[1]].data, layer.weight_axis[1]
    before, after = tensors[layer.outputs[0]], tensors[op.outputs[0]]
    given = [tensors[name].data for name in layer.inputs[2:]]
    if weights is None or before.shape != after.shape or any(bias is None for bias in given):
        return None
    channels = weights.shape[axis]
    values = _per_channel(op, tensors, channels)
    if values is None:
        return None
    bias = np.zeros(channels) if not given else np.asarray(given[0], np.float64)
    factor, offset = _affine(op, layer.outputs[0], values)
    shape = [1] * weights.ndim
    shape[axis] = channels
    constants = weights * factor.reshape(shape), bias * factor + offset
    if not all(np.isfinite(c.astype(np.float32)).all() for c in constants):
        return None
    names = tuple(
        _place(tensors, f"{op.outputs[0]}/{role}", c) for role, c in zip(("weights", "bias"), constants, strict=True)
    )
    folded: Op = replace(  # type: ignore[call-arg]
        layer,
        inputs=(layer.inputs[0], *names),
        outputs=op.outputs,
        clamp=op.clamp,  # type: ignore[attr-defined]
    )
    return folded


def _per_channel(op: Op, tensors: dict[str, Tensor], channels: int) -> Array | None:
    """The constant as one value per channel of the last axis; None when it varies along another one."""
    data = next(d for name in op.inputs if (d := tensors[name].data) is not None)
    if data.size != (data.shape[-1] if data.ndim else 1) or data.size not in (1, channels):
        return None
    return np.broadcast_to(data.reshape(-1).astype(np.float64), (channels,))


def _affine(op: Op, computed: str, values: Array) -> tuple[Array, Array]:
    """(factor, offset) per channel: what `op` makes of x is x * factor + offset."""
    one, none = np.ones_like(values), np.zeros_like(values)
    if isinstance(op, Mul):
        return values, none
    if isinstance(op, Add):
        return one, values
    return (one, -values) if op.inputs[0] == computed else (-one, values)


def _place(tensors: dict[str, Tensor], wanted: str, values: Array) -> str:
    name = fresh_name(wanted, tensors)
    data = np.ascontiguousarray(values, np.float32)
    tensors[name] = Tensor(name, data.shape, DType.F32, None, data)
    return name
