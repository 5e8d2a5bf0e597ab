"""A clamp that is an operator of its own becomes the clamp of the operator before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import Clamp, Graph, Op
from midge.ir.rewrite import count_readers
from midge.ir.tensor import DType, Tensor
from midge.numerics.fixed_point import integer_clamp
from midge.ops.relu import Relu
from midge.passes.value_table import ALL_VALUES, value_table


def fuse_activations(graph: Graph) -> Graph:
    """The graph with each RELU, RELU6 and the like fused into the operator that alone feeds it, where that can clamp.

    Integers: only where the clamped values are proven equal, by trying all 256 of them.
    """
    readers = count_readers(graph)
    written_at: dict[str, int] = {}
    ops: list[Op] = []
    for op in graph.ops:
        before = ops[written_at[op.inputs[0]]] if op.inputs and op.inputs[0] in written_at else None
        if isinstance(op, Relu) and before is not None and readers[op.inputs[0]] == 1:
            fused = _fused(before, op, graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]])
            if fused is not None:
                ops[written_at[op.inputs[0]]] = fused
                written_at[op.outputs[0]] = written_at[op.inputs[0]]
                continue
        written_at.update(dict.fromkeys(op.outputs, len(ops)))
        ops.append(op)
    return graph.with_ops(ops)


def _fused(before: Op, relu: Relu, between: Tensor, after: Tensor) -> Op | None:
    """`before` with the clamp of both, writing what `relu` writes; None when that is not the same function."""
    first: Clamp | None = getattr(before, "clamp", None)
    if first is None:
        return None
    both = max(first[0], relu.clamp[0]), min(first[1], relu.clamp[1])
    if both[0] > both[1]:
        return None
    if after.dtype is not DType.F32 and not _is_exact(relu, first, both, between, after):
        return None
    fused: Op = replace(before, clamp=both, outputs=relu.outputs)  # type: ignore[call-arg]
    return fused


def _is_exact(relu: Relu, first: Clamp, both: Clamp, between: Tensor, after: Tensor) -> bool:
    table = value_table(relu, [between], [after])
    if table is None or between.quant is None or between.quant != after.quant:
        return False
    low, high = integer_clamp(first, between.quant, between.dtype)
    fused_low, fused_high = integer_clamp(both, between.quant, between.dtype)
    if low > high or not low <= fused_low <= fused_high <= high:
        return False
    separately = table[np.clip(ALL_VALUES.astype(np.int64), low, high) + 128]
    return bool((separately == np.clip(ALL_VALUES, fused_low, fused_high)).all())
