"""Draws operators that remember: one-op graphs whose states start anywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from differential.draw_tensors import Case, Rng, below, clamp, values
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor
from midge.ir.verify import verify
from midge.ops.svdf import Svdf
from midge.ops.unidirectional_sequence_lstm import UnidirectionalSequenceLstm


def draw_svdf(rng: Rng, dtype: DType) -> Case:
    """Ranks, memories of one step and more, a bias or none; sums that wrap."""
    batch, depth, units, rank, memory = (below(rng, n) for n in (2, 9, 4, 3, 6))
    x = _tensor("x", (batch, depth), dtype, rng, 0.05)
    kinds = (DType.F32,) * 3 if dtype is DType.F32 else (DType.S16, DType.S8, DType.S16)
    state = _state("s", (batch, units * rank * memory), kinds[0], rng, 0.01)
    features = _weights("features", (units * rank, depth), kinds[1], rng, 0.02)
    times = _weights("times", (units * rank, memory), kinds[2], rng, 0.003)
    bias = _bias("bias", units, dtype, rng)
    y = _tensor("y", (batch, units), dtype, rng, float(np.exp(rng.uniform(-4, 3))))
    inputs = (x, state, features, times, *([bias] if rng.random() < 0.7 else []))
    op = Svdf(
        name="layer", inputs=_names(inputs), outputs=("y", "s/next"), rank=rank, clamp=clamp(rng)
    )  # fmt: skip
    return _case(op, inputs, (y, _next(state)), rng)


def draw_lstm(rng: Rng, dtype: DType) -> Case:
    """Sequences of one step and more, steps first or second, cells clipped or not, of every scale that there is."""
    batch, steps, depth, units = (below(rng, n) for n in (2, 4, 7, 5))
    time_major = bool(rng.random() < 0.4)
    lead = (steps, batch) if time_major else (batch, steps)
    x = _tensor("x", (*lead, depth), dtype, rng, 0.03)
    h = _state("h", (batch, units), dtype, rng, 1 / 128)
    wide = DType.F32 if dtype is DType.F32 else DType.S16
    c = _state("c", (batch, units), wide, rng, 2.0 ** -int(rng.integers(9, 16)))
    small = dtype is DType.F32 or rng.random() < 0.8
    weights = [_weights(f"w{g}", (units, depth), dtype, rng, 0.01 if small else 3.0) for g in range(4)]
    recurrent = [_weights(f"r{g}", (units, units), dtype, rng, 0.01) for g in range(4)]
    biases = [_bias(f"b{g}", units, dtype, rng) for g in range(4)]
    y = replace(h, name="y", shape=(*lead, units), initial=None)
    inputs = (x, h, c, *weights, *recurrent, *biases)
    hidden = None if dtype is DType.F32 else h.q
    if hidden is not None and rng.random() < 0.2:
        hidden = Quant.per_tensor(hidden.scale * 1.5, hidden.zero_point)
    op = UnidirectionalSequenceLstm(
        name="layer",
        inputs=_names(inputs),
        outputs=("y", "h/next", "c/next"),
        time_major=time_major,
        cell_clip=float(rng.choice([0.0, 0.3, 10.0])),
        hidden=hidden,
    )
    return _case(op, inputs, (y, _next(h), _next(c)), rng)


def _case(op: Op, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], rng: Rng) -> Case:
    tensors = {t.name: t for t in (*inputs, *outputs)}
    updates = {op.inputs[i]: op.outputs[o] for i, o in op.updates.items()}
    graph = verify(Graph(op.kind, ("x",), ("y",), tensors, (op,), updates))
    return Case(graph, (_inputs(inputs[0], rng),))


def _inputs(x: Tensor, rng: Rng) -> Array:
    return rng.normal(0, 1, x.shape).astype(np.float32) if x.dtype is DType.F32 else values(x, rng)


def _tensor(name: str, shape: Shape, dtype: DType, rng: Rng, scale: float) -> Tensor:
    zero_point = int(rng.choice([-128, 0, 127, int(rng.integers(-128, 128))]))
    return Tensor(name, shape, dtype, None if dtype is DType.F32 else Quant.per_tensor(scale, zero_point))


def _state(name: str, shape: Shape, dtype: DType, rng: Rng, scale: float) -> Tensor:
    if dtype is DType.F32:
        return Tensor(name, shape, dtype, initial=rng.normal(0, 1, shape).astype(np.float32))
    zero_point = int(rng.integers(-128, 128)) if dtype is DType.S8 else 0
    state = Tensor(name, shape, dtype, Quant.per_tensor(scale, zero_point))
    return replace(state, initial=values(state, rng))


def _next(state: Tensor) -> Tensor:
    return replace(state, name=f"{state.name}/next", initial=None)


def _weights(name: str, shape: Shape, dtype: DType, rng: Rng, scale: float) -> Tensor:
    if dtype is DType.F32:
        return Tensor(name, shape, dtype, data=rng.normal(0, 0.5, shape).astype(np.float32))
    weights = Tensor(name, shape, dtype, Quant.per_tensor(scale * float(np.exp(rng.uniform(-1, 1))), 0))
    return replace(weights, data=values(weights, rng))


def _bias(name: str, units: int, dtype: DType, rng: Rng) -> Tensor:
    if dtype is DType.F32:
        return Tensor(name, (units,), dtype, data=rng.normal(0, 1, units).astype(np.float32))
    reach = int(rng.choice([300, 20_000, (1 << 31) - 1]))
    return Tensor(name, (units,), DType.S32, data=rng.integers(-reach, reach, units, endpoint=True).astype(np.int32))


def _names(tensors: tuple[Tensor, ...]) -> tuple[str, ...]:
    return tuple(t.name for t in tensors)
