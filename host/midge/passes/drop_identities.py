"""Operators whose output is their input, byte for byte and with the same meaning, go."""

from __future__ import annotations

from collections.abc import Mapping

from midge.ir.graph import NO_CLAMP, Clamp, Graph, Op
from midge.ir.rewrite import rewire
from midge.ir.tensor import DType, Tensor
from midge.numerics.fixed_point import integer_clamp
from midge.ops.concatenation import Concatenation
from midge.ops.pad import Pad
from midge.ops.relu import Relu
from midge.passes.value_table import ALL_VALUES, value_table


def drop_identities(graph: Graph) -> Graph:
    """The graph without operators that do nothing; the network's inputs, outputs and states keep their names.

    Such an operator stays between an input and an output of the network, where it is what copies.
    """
    results = set(graph.results)
    shorter: dict[str, str] = {}  # output of a dropped operator -> what is read instead
    promoted: dict[str, str] = {}  # tensor -> the network's output that its writer now writes
    writers: dict[str, Op] = {}
    ops: list[Op] = []
    for op in (rewire(op, shorter) for op in graph.ops):
        source, target = op.inputs[0] if op.inputs else "", op.outputs[0]
        if not op.inputs or not _does_nothing(op, graph.tensors, writers.get(source)):
            pass
        elif target not in results:
            shorter[target] = source
            continue
        elif source in writers and source not in results and source not in promoted:
            promoted[source] = target
            continue
        writers.update(dict.fromkeys(op.outputs, op))
        ops.append(op)
    return graph.with_ops([rewire(op, promoted) for op in ops])


def _does_nothing(op: Op, tensors: Mapping[str, Tensor], writer: Op | None) -> bool:
    inputs, outputs = [tensors[n] for n in op.inputs], [tensors[n] for n in op.outputs]
    x, y = inputs[0], outputs[0]
    if (x.shape, x.dtype, x.quant) != (y.shape, y.dtype, y.quant) or x.is_constant:
        return False
    if op.is_view:
        return True
    if isinstance(op, Pad | Concatenation):  # an output of x's shape has nothing added to x
        return True
    clamp: Clamp = getattr(writer, "clamp", NO_CLAMP)
    if isinstance(op, Relu) and x.dtype is DType.F32:
        return op.clamp[0] <= clamp[0] and clamp[1] <= op.clamp[1]
    table = value_table(op, inputs, outputs)
    if table is None:
        return False
    low, high = x.dtype.limits if x.quant is None else integer_clamp(clamp, x.quant, x.dtype)
    return bool((table == ALL_VALUES)[low + 128 : high + 129].all())
