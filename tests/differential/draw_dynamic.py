"""Draws layers of dynamic range: float layers of `draw_windows` whose weights are int8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from differential.draw_tensors import Case, Rng
from differential.draw_windows import draw_conv2d, draw_depthwise_conv2d, draw_fully_connected
from midge.ir.tensor import DType, Quant, Tensor
from midge.ir.verify import verify
from midge.ops.fully_connected import FullyConnected

DRAWS = {"conv2d": draw_conv2d, "depthwise_conv2d": draw_depthwise_conv2d, "fully_connected": draw_fully_connected}


def dynamic_cases(kind: str, count: int) -> list[Case]:
    """`count` cases with ranges that start at 0, go around it, or are nothing but 0."""
    rng = np.random.default_rng([count, len(kind)])
    cases = [_dynamic(DRAWS[kind](rng, DType.F32), rng) for _ in range(count)]
    return [replace(case, graph=replace(case.graph, name=f"dynamic_{kind}_{i}")) for i, case in enumerate(cases)]


def _dynamic(case: Case, rng: Rng) -> Case:
    op, graph = case.op, case.graph
    if isinstance(op, FullyConnected):
        op = replace(op, asymmetric=bool(rng.integers(2)))
    weights = _weights(graph.tensors[op.inputs[1]], op.weight_axis[1], rng)
    graph = verify(replace(graph, ops=(op,), tensors={**graph.tensors, weights.name: weights}))
    x = case.inputs[0] * np.float32(np.exp(rng.uniform(-3, 3)))
    given = (x, np.abs(x), -np.abs(x), np.zeros_like(x))[rng.choice(4, p=[0.5, 0.3, 0.1, 0.1])]
    return Case(graph, (given,))


def _weights(weights: Tensor, axis: int, rng: Rng) -> Tensor:
    count = weights.shape[axis] if rng.random() < 0.6 else 1
    scales = tuple(map(float, np.exp(rng.uniform(-6, 0, count)).astype(np.float32)))
    quant = Quant(scales, (0,) * count, axis if count > 1 else None)
    return replace(weights, dtype=DType.S8, quant=quant, data=rng.integers(-127, 128, weights.shape).astype(np.int8))
