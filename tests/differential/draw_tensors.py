"""What the drawn cases are made of: shapes, quantizations, weights and values that look for trouble."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np

from midge.interpreter import interpret
from midge.ir.graph import NO_CLAMP, Clamp, Graph, Op
from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Shape, Tensor
from midge.ir.verify import verify
from midge.kernels.narrow import FIELDS

Rng = np.random.Generator
CLAMPS: tuple[Clamp, ...] = (NO_CLAMP, NO_CLAMP, (0.0, inf), (0.0, 6.0), (-1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Case:
    """A graph with one op, and values for its inputs."""

    graph: Graph
    inputs: tuple[Array, ...]

    @property
    def op(self) -> Op:
        """The only op."""
        return self.graph.ops[0]

    def evaluate(self) -> list[Array]:
        """The outputs by the definition."""
        return interpret(self.graph, self.inputs)


def one_op(op: Op, inputs: Sequence[Tensor], output: Tensor, rng: Rng) -> Case:
    """The case of `op` between these tensors, with drawn values."""
    tensors = {t.name: t for t in (*inputs, output)}
    names = tuple(dict.fromkeys(t.name for t in inputs if not t.is_constant))
    graph = verify(Graph(op.kind, names, (output.name,), tensors, (op,)))
    return Case(graph, tuple(values(tensors[name], rng) for name in names))


def values(t: Tensor, rng: Rng) -> Array:
    """Anything that the type can hold: drawn, one extreme throughout, or both in turn."""
    style = rng.integers(8)
    if t.dtype is DType.F32:
        wide = rng.normal(0, rng.choice([0.1, 1, 10, 1000]), t.shape)
        return (np.round(wide) / 2 if style == 0 else wide).astype(np.float32)
    if t.levels is not None:
        return rng.choice(np.array(t.levels, t.dtype.numpy), t.shape)
    low, high = t.dtype.limits
    if style == 0:
        return np.full(t.shape, rng.choice([low, max(low, -127), 0, high]), t.dtype.numpy)
    if style == 1:
        return rng.choice(np.array([low, max(low, -127), high], t.dtype.numpy), t.shape)
    return rng.integers(low, high + 1, t.shape).astype(t.dtype.numpy)


def drawn_quant(rng: Rng, dtype: DType = DType.S8) -> Quant:
    """A scale of any size, and a zero point that is often at an end; in int16 it is 0."""
    if dtype is DType.S16:
        return Quant.per_tensor(float(np.exp(rng.uniform(-13, -4))), 0)
    zero_point = int(rng.choice([-128, 0, 127, *rng.integers(-128, 128, 3)]))
    return Quant.per_tensor(float(np.exp(rng.uniform(-7, 2))), zero_point)


def activation(name: str, shape: Shape, dtype: DType, rng: Rng) -> Tensor:
    """A tensor that is not constant."""
    return Tensor(name, shape, dtype, drawn_quant(rng, dtype) if dtype in QUANTIZED else None)


def constant(t: Tensor, rng: Rng) -> Tensor:
    """The same tensor with drawn values."""
    return replace(t, data=values(t, rng))


def below(rng: Rng, high: int) -> int:
    """1..high."""
    return int(rng.integers(1, high + 1))


def pair(rng: Rng, high: int) -> tuple[int, int]:
    """Two of 1..high."""
    return below(rng, high), below(rng, high)


def clamp(rng: Rng) -> Clamp:
    """One of the fused activations, often none."""
    return CLAMPS[rng.integers(len(CLAMPS))]


def weighted(rng: Rng, dtype: DType, x: Tensor, shape: Shape, axis: int) -> tuple[list[Tensor], float]:
    """Weights and, mostly, a bias; and a scale for the output that makes its values spread."""
    units = shape[axis]
    if dtype is DType.F32:
        weights = Tensor("w", shape, dtype, data=rng.normal(0, 1, shape).astype(np.float32))
        bias = Tensor("b", (units,), dtype, data=rng.normal(0, 1, units).astype(np.float32))
        return [weights, bias][: 1 + int(rng.random() < 0.8)], 1.0
    scales = np.exp(rng.uniform(-6, 0, units if rng.random() < 0.6 else 1)).astype(np.float32)
    if scales[0] < np.median(scales):
        # One multiplier for all, shifts for each.
        scales = scales[0] * np.exp2(np.rint(np.log2(scales / scales[0]))).astype(np.float32)
    quant = Quant(tuple(map(float, scales)), (0,) * len(scales), axis if len(scales) > 1 or units == 1 else None)
    weights = constant(Tensor("w", shape, DType.S8, quant), rng)
    bias = rng.integers(-(reach := int(rng.choice([100, 20_000]))), reach, units, endpoint=True)
    spread = float(np.median(scales)) * x.q.scale * np.sqrt(prod(shape) // units) * float(np.exp(rng.uniform(0, 6)))
    if rng.random() < 0.25:
        # Sums at the ends of int32, where they wrap, as the definition says, and zero points may not overflow.
        bias = rng.choice([-1, 1], units) * ((1 << 31) - rng.integers(1, 60, units))
        weights = replace(weights, data=weights.data * (rng.random(shape) < 0.1).astype(np.int8))
        spread = _just_above(float(scales[0]) * x.q.scale)
    elif rng.random() < 0.1:
        spread *= 1e-4
    weights = sometimes_sparse(sometimes_narrow(weights, axis), axis)
    constants = [weights, Tensor("b", (units,), DType.S32, data=bias.astype(np.int32))]
    if dtype is DType.S16 and rng.random() < 0.8:
        # Sums of 64 bits, from those that fit 32 to those that have all 48.
        wide = rng.integers(-(1 << 45), 1 << 45, units) >> int(rng.integers(0, 30))
        constants[1] = Tensor("b", (units,), DType.S64, data=wide)
        spread = max(spread, float(scales.max()) * x.q.scale / 100)
    return constants[: 1 + int(rng.random() < 0.8)], spread


def sometimes_sparse(weights: Tensor, axis: int, share: float = 0.15) -> Tensor:
    """The same weights, or, for that share of them, with vectors of four output channels gone.

    Drawn by the weights, as `sometimes_narrow`. Of 1x1 windows, which are few, half.
    """
    own = np.random.default_rng([3, zlib.crc32(np.asarray(weights.data).tobytes())])
    share = 0.5 if weights.shape[1:3] == (1, 1) else share
    return sparse_weights(weights, own) if axis == 0 and own.random() < share else weights


def sparse_weights(weights: Tensor, rng: Rng, lanes: int = 4) -> Tensor:
    """Weights of which a share of the vectors of `lanes` output channels (axis 0) are gone: by chance, of the last
    positions, or every so many; of some channels all."""
    rows = np.asarray(weights.data).reshape(weights.shape[0], -1)
    groups, positions = -(-len(rows) // lanes), rows.shape[1]
    kept = rng.random((groups, positions)) >= rng.choice([0.3, 0.5, 0.75, 0.9])
    if rng.random() < 0.2:
        kept &= np.arange(positions) < rng.integers(1, positions + 1)
    if rng.random() < 0.2:
        kept = np.broadcast_to(np.arange(positions) % rng.integers(2, 21) == 0, kept.shape).copy()
    if rng.random() < 0.3:
        kept[rng.integers(groups)] = rng.random() < 0.5
    data = np.where(np.repeat(kept, lanes, axis=0)[: len(rows)], rows, 0).astype(np.int8)
    return replace(weights, data=data.reshape(weights.shape))


def sometimes_narrow(weights: Tensor, axis: int, share: float = 0.4) -> Tensor:
    """The same weights, or, for that share of them, others of few bits, times a gain that is often 1, or of few values.

    Drawn by the weights themselves, so that `rng` of whoever asks goes on as before.
    """
    own = np.random.default_rng(zlib.crc32(np.asarray(weights.data).tobytes()))
    if own.random() >= share:
        return weights
    return clustered_weights(weights, own) if own.random() < 0.4 else narrow_weights(weights, axis, own)


def clustered_weights(weights: Tensor, rng: Rng, counts: Sequence[int] = (2, 3, 4, 7, 16, 40, 64)) -> Tensor:
    """Weights of at most so many values, one of `counts`, from all over int8."""
    table = rng.choice(np.arange(-127, 128), int(rng.choice(counts)), replace=False)
    return replace(weights, data=rng.choice(table, weights.shape).astype(np.int8))


def narrow_weights(weights: Tensor, axis: int, rng: Rng, most_gain: int = 127) -> Tensor:
    """Weights of one of the widths below 8 bits: of one gain for all channels, often 1, or of one each."""
    width = str(rng.choice(sorted(FIELDS)))
    low, high, _ = FIELDS[width]  # type: ignore[index]
    low += int(width == "int4" and rng.random() < 0.7)
    drawn = rng.choice([-1, 1], weights.shape) if width == "binary" else rng.integers(low, high + 1, weights.shape)
    largest = min(127 // max(-low, high), most_gain)
    units = [weights.shape[axis] if i == axis else 1 for i in range(len(weights.shape))]
    gains = rng.integers(1, largest + 1, units if rng.random() < 0.5 else 1) if rng.random() < 0.4 else np.int64(1)
    return replace(weights, data=(drawn * gains).astype(np.int8))


def sometimes_signs(case: Case, axis: int, share: float = 0.4) -> Case:
    """The same case, or, for that share of those with int8, one whose input takes two values and its weights two.

    Drawn by the weights, as `sometimes_narrow`.
    """
    x, w = (case.graph.tensors[name] for name in case.op.inputs[:2])
    own = np.random.default_rng([7, zlib.crc32(np.asarray(w.data).tobytes())])
    if x.dtype is not DType.S8 or w.dtype is not DType.S8 or own.random() >= share:
        return case
    if len(w.shape) == 4 and x.shape[3] == w.shape[3]:
        more = int(own.integers(24, 40)) // x.shape[3] + 1
        x, w = (replace(t, shape=(*t.shape[:3], more * t.shape[3]), data=None) for t in (x, w))
    low, high = sorted(own.permutation(255)[:2] - 127)
    if own.random() < 0.8:
        zero, size = int(np.clip(x.q.zero_point, -107, 107)), below(own, 20)
        x = replace(x, quant=Quant.per_tensor(x.q.scale, zero))
        low, high = zero - size, zero + size
    gains = own.integers(1, 4, [w.shape[axis] if i == axis else 1 for i in range(len(w.shape))])
    data = own.choice([-1, 1], w.shape) * (gains if own.random() < 0.3 else 1)
    tensors = [replace(x, levels=(int(low), int(high))), replace(w, data=data.astype(np.int8))]
    tensors += [case.graph.tensors[name] for name in case.op.inputs[2:]]
    return one_op(case.op, tensors, case.graph.output_tensors[0], own)


def _just_above(scale: float) -> float:
    """The next float32 that is larger."""
    nearest = np.float32(scale)
    return float(nearest if nearest > scale else np.nextafter(nearest, np.float32(np.inf)))


def output(shape: Shape, dtype: DType, scale: float, rng: Rng) -> Tensor:
    """The output `y`."""
    quant = Quant.per_tensor(scale, drawn_quant(rng, dtype).zero_point) if dtype in QUANTIZED else None
    return Tensor("y", shape, dtype, quant)


def names(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    """The tensors' names."""
    return tuple(t.name for t in tensors)
