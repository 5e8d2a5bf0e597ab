"""Drawn int8 networks in which channels die: filters of zeros, far biases under clamps, borders, residual sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, prod

import numpy as np
from hypothesis import strategies as st

from midge.ir.graph import NO_CLAMP, Clamp, Graph, Op, Padding
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.numerics.windows import pooled_shape, window_output_size
from midge.ops.add import Add
from midge.ops.average_pool2d import AveragePool2D
from midge.ops.concatenation import Concatenation
from midge.ops.conv2d import Conv2D
from midge.ops.depthwise_conv2d import DepthwiseConv2D
from midge.ops.fully_connected import FullyConnected
from midge.ops.leaky_relu import LeakyRelu
from midge.ops.max_pool2d import MaxPool2D
from midge.ops.mean import Mean
from midge.ops.mul import Mul
from midge.ops.pad import Pad
from midge.ops.relu import Relu
from midge.ops.reshape import Reshape
from midge.ops.softmax import OUTPUT_QUANT, Softmax
from midge.ops.sub import Sub

CLAMPS: tuple[Clamp, ...] = (NO_CLAMP, (0.0, inf), (0.0, 6.0), (-1.0, 1.0))
QUANTS = st.builds(Quant.per_tensor, st.sampled_from([0.02, 0.05, 0.3]), st.sampled_from([-128, -100, -1, 0, 7, 127]))
PADDINGS: tuple[Padding, ...] = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (0, 1)), ((2, 0), (0, 0)))


@dataclass
class Network:
    """A graph under construction; `x` is the tensor that the next operator reads."""

    draw: st.DrawFn
    x: Tensor
    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)

    def constant(self, data: Array, dtype: DType, quant: Quant | None) -> str:
        """The name of a new constant."""
        self.tensors.append(Tensor(f"c{len(self.tensors)}", data.shape, dtype, quant, data.astype(dtype.numpy)))
        return self.tensors[-1].name

    def write(self, shape: tuple[int, ...], quant: Quant, make: Callable[[str, str], Op]) -> Tensor:
        """A new operator by its name and output, which becomes `x`."""
        self.x = Tensor(f"t{len(self.tensors)}", shape, DType.S8, quant)
        self.tensors.append(self.x)
        self.ops.append(make(f"op{len(self.ops)}", self.x.name))
        return self.x

    def clamp(self) -> Clamp:
        """A fused activation."""
        return self.draw(st.sampled_from(CLAMPS))

    def weights(self, shape: tuple[int, ...], rows: int, columns: int | None, per_channel: bool = True) -> list[str]:
        """Weights with rows along an axis and columns along the last, some all zero, and mostly a bias."""
        random = np.random.default_rng(self.draw(st.integers(0, 9999)))
        values = random.integers(-127, 128, shape) * (
            random.random(shape) < self.draw(st.sampled_from([0.2, 0.6, 1.0]))
        )
        units = shape[rows]
        cut = [1] * len(shape)
        cut[rows] = units
        values *= (random.random(units) < 0.8).reshape(cut)
        if columns is not None:
            values *= random.random(shape[columns]) < 0.7
        scales = tuple(float(np.float32(s)) for s in random.choice([0.002, 0.01, 0.05], units if per_channel else 1))
        quant = Quant(scales, (0,) * len(scales), rows if per_channel else None)
        names = [self.constant(values, DType.S8, quant)]
        if self.draw(st.integers(0, 3)):
            far = random.choice([0, -1_000_000, 1_000_000], units)
            names.append(self.constant(far + random.integers(-2000, 2000, units), DType.S32, None))
        return names

    def convolve(self, channels: int, kernel: tuple[int, int], groups: int = 1) -> Tensor:
        """A convolution with a drawn stride, dilation and padding, as far as the window fits."""
        x, shape = self.x, (channels, *kernel, self.x.shape[3] // groups)
        names = self.weights(shape, 0, 3)
        return self._window(kernel, channels, (x.name, *names), Conv2D)

    def depthwise(self, kernel: tuple[int, int], multiplier: int) -> Tensor:
        """A depthwise convolution."""
        filters = self.x.shape[3] * multiplier
        names = self.weights((1, *kernel, filters), 3, None)
        return self._window(kernel, filters, (self.x.name, *names), DepthwiseConv2D)

    def _window(self, kernel: tuple[int, int], out: int, inputs: tuple[str, ...], kind: type[Op]) -> Tensor:
        stride, padding = self.draw(st.sampled_from([(1, 1), (1, 1), (2, 1)])), self.draw(st.sampled_from(PADDINGS))
        if kernel == (1, 1):
            padding = self.draw(st.sampled_from([PADDINGS[0], PADDINGS[0], PADDINGS[1]]))
        dilation = self.draw(st.sampled_from([(1, 1), (1, 1), (1, 2)]))
        n, *size, _ = self.x.shape
        try:
            height, width = window_output_size((size[0], size[1]), kernel, stride, dilation, padding)
        except ValueError:
            stride, dilation, padding = (1, 1), (1, 1), ((2, 2), (2, 2))
            height, width = window_output_size((size[0], size[1]), kernel, stride, dilation, padding)
        where = {"stride": stride, "dilation": dilation, "padding": padding, "clamp": self.clamp()}
        return self.write(
            (n, height, width, out),
            self.draw(QUANTS),
            lambda name, y: kind(name=name, inputs=inputs, outputs=(y,), **where),  # type: ignore[arg-type]
        )

    def combine(self, kind: type[Op], x: Tensor, y: Tensor) -> Tensor:
        """A sum, difference or product."""
        quant = Quant.per_tensor(self.draw(st.sampled_from([0.31, 0.7])), self.draw(st.integers(-128, 127)))
        shape = np.broadcast_shapes(x.shape, y.shape)
        fused = {"clamp": self.clamp()}
        return self.write(
            shape, quant, lambda name, out: kind(name=name, inputs=(x.name, y.name), outputs=(out,), **fused)
        )


def _convolution(n: Network) -> None:
    n.convolve(n.draw(st.integers(1, 6)), n.draw(st.sampled_from([(1, 1), (1, 1), (3, 3), (3, 3), (1, 2)])))


def _groups(n: Network) -> None:
    if n.x.shape[3] % 2 == 0:
        n.convolve(2 * n.draw(st.integers(1, 2)), (1, 1), groups=2)


def _depthwise(n: Network) -> None:
    n.depthwise(n.draw(st.sampled_from([(3, 3), (1, 1), (2, 1)])), 1)


def _several_filters(n: Network) -> None:
    n.depthwise((2, 2), 2)


def _residual(n: Network) -> None:
    kept, names = n.x, n.weights((n.x.shape[3], 1, 1, n.x.shape[3]), 0, 3)
    where = {"stride": (1, 1), "dilation": (1, 1), "padding": PADDINGS[0], "clamp": n.clamp()}
    n.write(
        kept.shape,
        n.draw(QUANTS),
        lambda name, y: Conv2D(name=name, inputs=(kept.name, *names), outputs=(y,), **where),  # type: ignore[arg-type]
    )
    n.combine(n.draw(st.sampled_from([Add, Add, Sub, Mul])), kept, n.x)


def _constant_operand(n: Network) -> None:
    shape = n.draw(st.sampled_from([(n.x.shape[3],), (1,), (1, 1, 1, n.x.shape[3]), n.x.shape]))
    values = np.random.default_rng(n.draw(st.integers(0, 99))).choice([-128, 0, 3, 127], shape)
    other = n.constant(values, DType.S8, n.draw(QUANTS))
    n.combine(n.draw(st.sampled_from([Add, Sub, Mul])), n.x, next(t for t in n.tensors if t.name == other))


def _pool(n: Network) -> None:
    kind = n.draw(st.sampled_from([AveragePool2D, MaxPool2D]))
    kernel, padding = n.draw(st.sampled_from([((2, 2), PADDINGS[2]), ((1, 1), PADDINGS[0]), ((3, 3), PADDINGS[1])]))
    x, clamp = n.x, n.clamp()
    n.write(
        pooled_shape(x.shape, kernel, (1, 1), padding),
        x.q,
        lambda name, y: kind(
            name=name, inputs=(x.name,), outputs=(y,), kernel=kernel, stride=(1, 1), padding=padding, clamp=clamp
        ),
    )


def _pad(n: Network) -> None:
    x, paddings = n.x, ((0, 0), (1, 0), (0, n.draw(st.integers(0, 1))), (n.draw(st.sampled_from([0, 0, 1])), 0))
    shape = tuple(a + s + b for s, (a, b) in zip(x.shape, paddings, strict=True))
    n.write(shape, x.q, lambda name, y: Pad(name=name, inputs=(x.name,), outputs=(y,), paddings=paddings))


def _unary(n: Network) -> None:
    x, clamp = n.x, n.clamp()
    if n.draw(st.booleans()):
        n.write(x.shape, n.draw(QUANTS), lambda name, y: Relu(name=name, inputs=(x.name,), outputs=(y,), clamp=clamp))
    else:
        n.write(
            x.shape, n.draw(QUANTS), lambda name, y: LeakyRelu(name=name, inputs=(x.name,), outputs=(y,), alpha=0.25)
        )


def _concatenate(n: Network) -> None:
    x = n.x
    names = n.weights((n.draw(st.integers(1, 4)), 1, 1, x.shape[3]), 0, 3)
    channels = n.tensors[-len(names)].shape[0]
    branch = Tensor(f"b{len(n.tensors)}", (*x.shape[:3], channels), DType.S8, x.q)
    n.tensors.append(branch)
    conv = Conv2D(
        name=f"op{len(n.ops)}",
        inputs=(x.name, *names),
        outputs=(branch.name,),
        stride=(1, 1),
        dilation=(1, 1),
        padding=PADDINGS[0],
        clamp=n.clamp(),
    )
    n.ops.append(conv)
    parts = n.draw(st.sampled_from([(x, branch), (branch, x, branch), (x, x)]))
    axis = 1 if parts == (x, x) else 3
    shape = list(x.shape)
    shape[axis] = sum(t.shape[axis] for t in parts)
    inputs = tuple(t.name for t in parts)
    n.write(tuple(shape), x.q, lambda name, y: Concatenation(name=name, inputs=inputs, outputs=(y,), axis=axis))


STEPS = (
    _convolution,
    _convolution,
    _convolution,
    _depthwise,
    _depthwise,
    _residual,
    _residual,
    _constant_operand,
    _pool,
    _pad,
    _unary,
    _concatenate,
    _groups,
)


def _dense(n: Network) -> None:
    """An average or a reshape, a matrix product or two, perhaps classes."""
    x = n.x
    if n.draw(st.booleans()):
        axes = n.draw(st.sampled_from([(1, 2), (1,), (2, 3)]))
        shape = tuple(s for i, s in enumerate(x.shape) if i not in axes)
        n.write(
            shape,
            n.draw(QUANTS),
            lambda name, y: Mean(name=name, inputs=(x.name,), outputs=(y,), axes=axes, keep_dims=False),
        )
    elif n.draw(st.booleans()):
        flat = (1, x.elements)
        n.write(flat, x.q, lambda name, y: Reshape(name=name, inputs=(x.name,), outputs=(y,), shape=flat))
    for _ in range(n.draw(st.integers(1, 2))):
        source, depth = n.x, n.draw(st.sampled_from([n.x.shape[-1], prod(n.x.shape)]))
        names, clamp = n.weights((3, depth), 0, 1, n.draw(st.booleans())), n.clamp()
        n.write(
            (source.elements // depth, 3),
            n.draw(QUANTS),
            lambda name, y: FullyConnected(name=name, inputs=(source.name, *names), outputs=(y,), clamp=clamp),  # noqa: B023
        )
    if n.draw(st.booleans()):
        last = n.x
        n.write(
            last.shape, OUTPUT_QUANT, lambda name, y: Softmax(name=name, inputs=(last.name,), outputs=(y,), beta=1.0)
        )


@st.composite
def networks(draw: st.DrawFn, steps: Sequence[Callable[[Network], None]] = (*STEPS, _several_filters)) -> Graph:
    """One to seven layers over a small image, often with a matrix product at the end; other tensors may be outputs."""
    x = Tensor(
        "x", (1, draw(st.integers(1, 4)), draw(st.integers(2, 4)), draw(st.integers(1, 3))), DType.S8, draw(QUANTS)
    )
    n = Network(draw, x, [x])
    for _ in range(draw(st.integers(2, 6))):
        draw(st.sampled_from(steps))(n)
    if draw(st.integers(0, 3)) or not n.ops:
        _dense(n)
    written = [op.outputs[0] for op in n.ops]
    extra = draw(st.lists(st.sampled_from(written), max_size=1)) if draw(st.integers(0, 3)) == 0 else []
    outputs = tuple(dict.fromkeys([written[-1], *extra]))
    return verify(Graph("drawn", ("x",), outputs, {t.name: t for t in n.tensors}, tuple(n.ops)))
