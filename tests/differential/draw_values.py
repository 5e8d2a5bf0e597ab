"""Draws layers that move, combine or map values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from differential.draw_tensors import Case, Rng, activation, below, clamp, constant, names, one_op, output
from midge.ir.graph import Op
from midge.ir.tensor import QUANTIZED, DType, Quant, Tensor
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.dequantize import Dequantize
from midge.ops.layer_normalization import LayerNormalization
from midge.ops.leaky_relu import LeakyRelu
from midge.ops.lookup import Lookup
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.pad import Pad
from midge.ops.quantize import Quantize
from midge.ops.relu import Relu
from midge.ops.softmax import OUTPUT_QUANT, OUTPUT_QUANT_INT16, Softmax
from midge.ops.sub import Sub
from midge.ops.take import Take

_SOFTMAX_QUANTS = {DType.S8: OUTPUT_QUANT, DType.S16: OUTPUT_QUANT_INT16}


def draw_mean(rng: Rng, dtype: DType) -> Case:
    """Any axes of up to five dimensions, none and all included."""
    rank = below(rng, 5)
    shape = tuple(rng.integers(1, 6, rank).tolist())
    axes = (1, 2) if rank == 4 and rng.random() < 0.6 else tuple(i for i in range(rank) if rng.random() < 0.5)
    x = activation("x", shape, dtype, rng)
    op = Mean(name="layer", inputs=("x",), outputs=("y",), axes=axes, keep_dims=bool(rng.random() < 0.5))
    scale = x.q.scale * float(np.exp(rng.uniform(-3, 2))) if dtype in QUANTIZED else 1.0
    return one_op(op, [x], output(op.infer([x])[0], dtype, scale, rng), rng)


def _draw_pair(kind: type[Add] | type[Sub] | type[Mul], rng: Rng, dtype: DType) -> Case:
    """Equal shapes, shapes that broadcast on either side, a constant on either side, one tensor twice."""
    shape = tuple(rng.integers(1, 6, int(rng.integers(0, 5))).tolist())
    shapes = [shape, shape]
    if rng.random() < 0.5:
        small = tuple(1 if rng.random() < 0.5 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
        shapes[rng.integers(2)] = small
    inputs = [activation(name, s, dtype, rng) for name, s in zip(("x", "z"), shapes, strict=True)]
    if rng.random() < 0.3:
        side = rng.integers(2)
        inputs[side] = constant(inputs[side], rng)
    elif shapes[0] == shapes[1] and rng.random() < 0.3:
        inputs[1] = inputs[0]
    elif rng.random() < 0.4 and dtype in QUANTIZED:
        inputs[1] = replace(inputs[1], quant=Quant.per_tensor(inputs[0].q.scale / 4, inputs[1].q.zero_point))
    op = kind(name="layer", inputs=names(inputs), outputs=("y",), clamp=clamp(rng))
    scale = 1.0
    if dtype in QUANTIZED:
        a, b = (t.q.scale for t in inputs)
        scale = (a * b * dtype.limits[1] if kind is Mul else a + b) * float(np.exp(rng.uniform(-3, 3)))
        scale = scale * 1e-7 if kind is Mul and rng.random() < 0.1 else scale
    return one_op(op, inputs, output(op.infer(inputs)[0], dtype, scale, rng), rng)


def draw_add(rng: Rng, dtype: DType) -> Case:
    """See _draw_pair."""
    return _draw_pair(Add, rng, dtype)


def draw_sub(rng: Rng, dtype: DType) -> Case:
    """See _draw_pair."""
    return _draw_pair(Sub, rng, dtype)


def draw_mul(rng: Rng, dtype: DType) -> Case:
    """See _draw_pair; some outputs so fine that sums saturate."""
    return _draw_pair(Mul, rng, dtype)


def draw_concatenation(rng: Rng, dtype: DType) -> Case:
    """One to four inputs along any axis, one of them constant at times, one tensor twice at times."""
    rank = below(rng, 4)
    axis = int(rng.integers(rank))
    shape = rng.integers(1, 5, rank).tolist()
    like = activation("y", tuple(shape), dtype, rng)
    inputs = []
    for i in range(below(rng, 4)):
        shape[axis] = below(rng, 5)
        inputs.append(replace(like, name=f"x{i}", shape=tuple(shape)))
    if len(inputs) > 1 and rng.random() < 0.3:
        inputs[-1] = constant(inputs[-1], rng)
    elif rng.random() < 0.3:
        inputs.append(inputs[0])
    op = Concatenation(name="layer", inputs=names(inputs), outputs=("y",), axis=axis)
    return one_op(op, inputs, replace(like, shape=op.infer(inputs)[0]), rng)


def draw_pad(rng: Rng, dtype: DType) -> Case:
    """Any side of up to five dimensions, none included; zeros, and values that int8 may not hold."""
    rank = below(rng, 5)
    paddings = tuple(tuple(p) for p in (rng.integers(0, 3, (rank, 2)) * (rng.random((rank, 1)) < 0.6)).tolist())
    x = activation("x", tuple(rng.integers(1, 5, rank).tolist()), dtype, rng)
    value = float(rng.choice([0.0, 0.0, 1.5, -300.0]))
    op = Pad(name="layer", inputs=("x",), outputs=("y",), paddings=paddings, value=value)
    return one_op(op, [x], replace(x, name="y", shape=op.infer([x])[0]), rng)


def draw_softmax(rng: Rng, dtype: DType) -> Case:
    """One class, many classes whose sum has few leading zeros, several rows, coarse and fine scales."""
    depth = int(rng.choice([1, 2, 10, 37, 1000, 4000], p=[0.1, 0.1, 0.2, 0.2, 0.3, 0.1]))
    rows = () if rng.random() < 0.3 else (below(rng, 3),)
    x = activation("x", (*rows, depth), dtype, rng)
    if depth > 100 and dtype is DType.S8:
        x = replace(x, quant=Quant.per_tensor(float(rng.choice([0.001, 0.01, 0.1])), 0))
    op = Softmax(name="layer", inputs=("x",), outputs=("y",), beta=float(np.float32(rng.choice([1.0, 1.0, 0.3, 2.5]))))
    y = Tensor("y", x.shape, dtype, _SOFTMAX_QUANTS.get(dtype))
    return one_op(op, [x], y, rng)


def _draw_unary(make: Callable[[Rng], Op], rng: Rng, dtype: DType) -> Case:
    shape = tuple(rng.integers(1, 7, int(rng.integers(0, 4))).tolist())
    x = activation("x", shape, dtype, rng)
    return one_op(make(rng), [x], output(shape, dtype, 1.0, rng), rng)


def draw_relu(rng: Rng, dtype: DType) -> Case:
    """All bounds."""
    return _draw_unary(lambda r: Relu(name="layer", inputs=("x",), outputs=("y",), clamp=clamp(r)), rng, dtype)


def draw_leaky_relu(rng: Rng, dtype: DType) -> Case:
    """Slopes below and above 1."""
    slope = float(np.float32(rng.uniform(0, 1.5)))
    return _draw_unary(lambda _: LeakyRelu(name="layer", inputs=("x",), outputs=("y",), alpha=slope), rng, dtype)


def draw_lookup(rng: Rng, dtype: DType) -> Case:
    """A drawn table."""
    x = activation("x", tuple(rng.integers(1, 7, int(rng.integers(0, 4))).tolist()), dtype, rng)
    table = Tensor("table", (256,), DType.S8, None, rng.integers(-128, 128, 256).astype(np.int8))
    op = Lookup(name="layer", inputs=("x", "table"), outputs=("y",))
    return one_op(op, [x, table], replace(x, name="y"), rng)


def draw_quantize(rng: Rng, dtype: DType) -> Case:
    """From float, halves and values that are not numbers included, and from int8 and int16; to int8 or int16.

    Int16 is the raw samples of a converter too, around any middle.
    """
    x = activation("x", (below(rng, 9), below(rng, 9)), dtype, rng)
    if dtype is DType.S16 and rng.random() < 0.4:
        x = replace(x, quant=Quant.per_tensor(x.q.scale, int(rng.choice([-32768, 2048, 32767]))))
    y = output(x.shape, QUANTIZED[rng.integers(2)], float(rng.choice([0.5, 0.037, 1e-3, 1.0])), rng)
    to_even = dtype is DType.F32 and rng.random() < 0.5
    case = one_op(Quantize(name="layer", inputs=("x",), outputs=("y",), ties_to_even=to_even), [x], y, rng)
    if dtype is DType.F32 and rng.random() < 0.5:
        case.inputs[0].flat[:5] = np.array([np.nan, np.inf, -np.inf, 0.25, -0.25])[: case.inputs[0].size]
    return case


def draw_dequantize(rng: Rng, dtype: DType) -> Case:
    """Every scale and zero point."""
    x = activation("x", (below(rng, 9), below(rng, 9)), dtype, rng)
    op = Dequantize(name="layer", inputs=("x",), outputs=("y",))
    return one_op(op, [x], Tensor("y", x.shape, DType.F32), rng)


def draw_layer_normalization(rng: Rng, dtype: DType) -> Case:
    """One value, few and many, often one scale for all; rows without any spread come by their values."""
    depth = int(rng.choice([1, 2, 7, 64, 500]))
    x = activation("x", (*rng.integers(1, 4, int(rng.integers(0, 3))).tolist(), depth), dtype, rng)
    constants = [
        Tensor(name, (size,), DType.F32, None, rng.normal(0, 1, size).astype(np.float32))
        for name, size in (("s", int(rng.choice([1, depth]))), ("o", int(rng.choice([1, depth]))))
    ]
    epsilon = float(rng.choice([1e-5, 1e-3, 1.0]))
    op = LayerNormalization(name="layer", inputs=names([x, *constants]), outputs=("y",), epsilon=epsilon)
    return one_op(op, [x, *constants], output(x.shape, dtype, float(np.exp(rng.uniform(-6, -2))), rng), rng)


def draw_take(rng: Rng, dtype: DType) -> Case:
    """Indices of up to two dimensions along any axis: some from the end, some outside; x is constant at times."""
    shape = tuple(rng.integers(1, 5, below(rng, 4)).tolist())
    axis = int(rng.integers(len(shape)))
    x = activation("x", shape, dtype, rng)
    kind = DType.S32 if rng.random() < 0.7 else DType.S64
    indices = Tensor("i", tuple(rng.integers(1, 4, int(rng.integers(0, 3))).tolist()), kind)
    x = constant(x, rng) if rng.random() < 0.3 else x
    op = Take(name="layer", inputs=("x", "i"), outputs=("y",), axis=axis)
    case = one_op(op, [x, indices], replace(x, name="y", shape=op.infer([x, indices])[0], data=None), rng)
    given = case.inputs[-1]
    given[...] = np.where(rng.random(given.shape) < 0.8, rng.integers(-shape[axis], shape[axis], given.shape), given)
    return case
