"""Which layers of a network have int16 activations, when some are asked for by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops import logistic, softmax, tanh

# What operators fix for their outputs in int8, and the scale that all of them have in int16.
_FIXED = {softmax.OUTPUT_QUANT, logistic.OUTPUT_QUANT, tanh.OUTPUT_QUANT}


def symmetric(quant: Quant) -> Quant:
    """An int16 quantization that holds what the int8 one `quant` does."""
    if quant in _FIXED:
        return softmax.OUTPUT_QUANT_INT16
    low, high = DType.S8.limits
    reach = max(quant.zero_point - low, high - quant.zero_point) * quant.scale
    return Quant.per_tensor(max(reach / DType.S16.limits[1], float(np.finfo(np.float32).tiny)), 0)


def beside_int8(quant: Quant) -> Quant:
    """An int16 quantization that holds what the int8 one `quant` does, at a scale a power of two finer.

    An int8 value becomes such an int16 one exactly, whether by integers or by floats.
    """
    return softmax.OUTPUT_QUANT_INT16 if quant in _FIXED else Quant.per_tensor(quant.scale / 128, 0)


def wide_layers(graph: Graph, chosen: Collection[str], quants: Mapping[str, Quant]) -> frozenset[str]:
    """The layers `chosen` of float `graph`, and those without weights that lie between them or behind them at the end.

    The latter only where TensorFlow Lite has them in int16: values need not be made int8 and int16 again then. `quants`
    are those of int8.
    """
    found = {op.name for op in graph.ops if op.name in chosen or (not op.weight_axis and _can(graph, op, quants))}
    while True:
        kept = {op.name for op in graph.ops if op.name in found and (op.name in chosen or _among(graph, op, found))}
        if kept == found:
            return frozenset(found)
        found = kept


def _among(graph: Graph, op: Op, wide: Collection[str]) -> bool:
    """Whether all that it reads is written by layers of `wide`, and all that it writes is read by them."""
    producers = [graph.producer(t.name) for t in graph.inputs_of(op) if not t.is_constant]
    readers = [reader for name in op.outputs for reader in graph.consumers(name)]
    return all(p is not None and p.name in wide for p in producers) and all(r.name in wide for r in readers)


def _can(graph: Graph, op: Op, quants: Mapping[str, Quant]) -> bool:
    def as_int16(tensor: Tensor) -> Tensor:
        if tensor.dtype is not DType.F32 or tensor.name not in quants:
            return tensor
        data = None if tensor.data is None else np.zeros(tensor.shape, np.int16)
        return replace(tensor, dtype=DType.S16, quant=beside_int8(quants[tensor.name]), data=data)

    tensors = [as_int16(t) for t in (*graph.inputs_of(op), *graph.outputs_of(op))]
    return bool(tensors) and not op.check(tensors[: len(op.inputs)], tensors[len(op.inputs) :])
