"""Small networks made by hand, and drawn ones, for tests of passes and quantization."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np
from hypothesis import strategies as st

from midge.ir.graph import NO_CLAMP, Clamp, Graph, Op
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.conv2d import Conv2D
from midge.ops.leaky_relu import LeakyRelu
from midge.ops.logistic import OUTPUT_QUANT as LOGISTIC_QUANT
from midge.ops.logistic import Logistic
from midge.ops.lookup import Lookup
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.pad import Pad
from midge.ops.quantize import Quantize
from midge.ops.relu import Relu
from midge.ops.reshape import Reshape
from midge.ops.tanh import OUTPUT_QUANT as TANH_QUANT
from midge.ops.tanh import Tanh

NO_PADDING = ((0, 0), (0, 0))
SHAPE = (1, 2, 3, 2)


def floats(name: str, shape: Sequence[int], data: Array | None = None) -> Tensor:
    """A float tensor; a constant when there is data."""
    return Tensor(name, tuple(shape), DType.F32, data=None if data is None else np.asarray(data, np.float32))


def int8s(name: str, shape: Sequence[int], quant: Quant, data: Array | None = None) -> Tensor:
    """An int8 tensor; a constant when there is data."""
    return Tensor(name, tuple(shape), DType.S8, quant, None if data is None else np.asarray(data, np.int8))


def graph(inputs: Sequence[str], outputs: Sequence[str], tensors: Sequence[Tensor], ops: Sequence[Op]) -> Graph:
    """A graph that has been verified."""
    return verify(Graph("small", tuple(inputs), tuple(outputs), {t.name: t for t in tensors}, tuple(ops)))


def pointwise(name: str, inputs: Sequence[str], output: str, clamp: Clamp = NO_CLAMP) -> Conv2D:
    """A convolution with a 1x1 window."""
    return Conv2D(
        name=name,
        inputs=tuple(inputs),
        outputs=(output,),
        stride=(1, 1),
        dilation=(1, 1),
        padding=NO_PADDING,
        clamp=clamp,
    )


_CLAMPS: tuple[Clamp, ...] = (NO_CLAMP, (0.0, inf), (0.0, 6.0), (-1.0, 1.0))
_QUANTS = st.builds(Quant.per_tensor, st.sampled_from([0.01, 0.0235, 0.05, 1 / 256]), st.integers(-128, 127))


@st.composite
def int8_chains(draw: st.DrawFn) -> Graph:
    """A chain of one to six int8 operators, most of which some pass can rewrite; each tensor may be an output too."""
    tensors = [int8s("x", SHAPE, draw(_QUANTS))]
    ops: list[Op] = []
    for index in range(draw(st.integers(1, 6))):
        constants, output, op = draw(st.sampled_from(list(_STEPS.values())))(draw, tensors[-1], index)
        tensors += [*constants, output]
        ops.append(op)
    written = [op.outputs[0] for op in ops]
    extra = draw(st.lists(st.sampled_from(written), max_size=2, unique=True))
    return graph(["x"], list(dict.fromkeys([written[-1], *extra])), tensors, ops)


_Step = Callable[[st.DrawFn, Tensor, int], tuple[list[Tensor], Tensor, Op]]


def _next_quant(draw: st.DrawFn, x: Tensor) -> Quant:
    return draw(st.one_of(st.just(x.q), _QUANTS))


def _relu(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, _next_quant(draw, x))
    return [], y, Relu(name=f"relu{i}", inputs=(x.name,), outputs=(y.name,), clamp=draw(st.sampled_from(_CLAMPS)))


def _leaky(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, _next_quant(draw, x))
    return (
        [],
        y,
        LeakyRelu(name=f"leaky{i}", inputs=(x.name,), outputs=(y.name,), alpha=draw(st.sampled_from([0.0, 0.25, 1.0]))),
    )


def _quantize(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, _next_quant(draw, x))
    return [], y, Quantize(name=f"quantize{i}", inputs=(x.name,), outputs=(y.name,))


def _logistic(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, LOGISTIC_QUANT)
    return [], y, Logistic(name=f"logistic{i}", inputs=(x.name,), outputs=(y.name,))


def _tanh(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, TANH_QUANT)
    return [], y, Tanh(name=f"tanh{i}", inputs=(x.name,), outputs=(y.name,))


def _reshape(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    # Shapes of four dimensions, so that any step may follow.
    shape = draw(st.sampled_from([x.shape, (x.shape[0], x.shape[2], x.shape[1], x.shape[3]), (x.elements, 1, 1, 1)]))
    y = int8s(f"t{i}", shape, x.q)
    return [], y, Reshape(name=f"reshape{i}", inputs=(x.name,), outputs=(y.name,), shape=shape)


def _pad(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    paddings = ((0, 0), (draw(st.integers(0, 1)), 0), (0, 0), (0, 0))
    y = int8s(f"t{i}", (x.shape[0], x.shape[1] + paddings[1][0], *x.shape[2:]), x.q)
    return [], y, Pad(name=f"pad{i}", inputs=(x.name,), outputs=(y.name,), paddings=paddings)


def _pool(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, x.q)
    op = MaxPool2D(
        name=f"pool{i}",
        inputs=(x.name,),
        outputs=(y.name,),
        kernel=(1, 1),
        stride=(1, 1),
        padding=NO_PADDING,
        clamp=draw(st.sampled_from(_CLAMPS)),
    )
    return [], y, op


def _add_number(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    number = int8s(f"c{i}", (1,), draw(_QUANTS), np.array([draw(st.integers(-128, 127))]))
    y = int8s(f"t{i}", x.shape, Quant.per_tensor(0.06, draw(st.integers(-128, 127))))
    clamp = draw(st.sampled_from(_CLAMPS))
    return [number], y, Add(name=f"add{i}", inputs=(x.name, number.name), outputs=(y.name,), clamp=clamp)


def _add_itself(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, Quant.per_tensor(0.06, draw(st.integers(-128, 127))))
    return [], y, Add(name=f"twice{i}", inputs=(x.name, x.name), outputs=(y.name,), clamp=NO_CLAMP)


def _concatenate(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    y = int8s(f"t{i}", x.shape, x.q)
    return [], y, Concatenation(name=f"concatenate{i}", inputs=(x.name,), outputs=(y.name,), axis=1)


def _lookup(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    values = np.roll(np.arange(-128, 128), draw(st.integers(0, 2))).astype(np.int8)
    table = Tensor(f"c{i}", (256,), DType.S8, data=values)
    y = int8s(f"t{i}", x.shape, _next_quant(draw, x))
    return [table], y, Lookup(name=f"lookup{i}", inputs=(x.name, table.name), outputs=(y.name,))


def _convolution(draw: st.DrawFn, x: Tensor, i: int) -> tuple[list[Tensor], Tensor, Op]:
    channels = x.shape[3]
    seed = draw(st.integers(0, 99))
    values = np.random.default_rng(seed).integers(-127, 128, (channels, 1, 1, channels))
    weights = int8s(f"c{i}", values.shape, Quant((0.004,) * channels, (0,) * channels, 0), values)
    y = int8s(f"t{i}", x.shape, _next_quant(draw, x))
    return [weights], y, pointwise(f"conv{i}", (x.name, weights.name), y.name, draw(st.sampled_from(_CLAMPS)))


_STEPS: Mapping[str, _Step] = {
    "relu": _relu,
    "leaky_relu": _leaky,
    "quantize": _quantize,
    "logistic": _logistic,
    "tanh": _tanh,
    "reshape": _reshape,
    "pad": _pad,
    "pool": _pool,
    "add_number": _add_number,
    "add_itself": _add_itself,
    "concatenate": _concatenate,
    "lookup": _lookup,
    "convolution": _convolution,
}
