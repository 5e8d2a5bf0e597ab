"""Int8 that is dequantized only to be quantized to another type becomes one integer operator, where that is exact.

TensorFlow Lite has no operator from int8 to int16, so that files spell it so.
"""

from __future__ import annotations

from dataclasses import replace

from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType
from midge.ops.dequantize import Dequantize
from midge.ops.quantize import Quantize, is_by_floats


def requantize_integers(graph: Graph) -> Graph:
    """The graph with QUANTIZE of integers in place of DEQUANTIZE and QUANTIZE, wherever all values agree."""
    reals = {op.outputs[0]: op.inputs[0] for op in graph.ops if isinstance(op, Dequantize)}
    ops: list[Op] = []
    for op in graph.ops:
        if isinstance(op, Quantize) and not op.ties_to_even and op.inputs[0] in reals:
            x, y = graph.tensors[reals[op.inputs[0]]], graph.tensors[op.outputs[0]]
            if y.dtype in (DType.S8, DType.S16) and is_by_floats(x, y):
                op = replace(op, inputs=(x.name,))
        ops.append(op)
    return graph if tuple(ops) == graph.ops else graph.with_ops(ops)
