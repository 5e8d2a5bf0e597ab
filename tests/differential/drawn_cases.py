"""What drawn operators are made of: what a file would say (`SourceOp`), and a value per input that is not constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from midge.ir.graph import Op
from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Shape, Tensor
from midge.ops import readers
from midge.ops.formats import SourceOp

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Case:
    """An operator as a file spells it, as midge reads it, and values for its inputs that are not constant."""

    source: SourceOp
    op: Op
    values: tuple[Array, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that `op` reads, constants included."""
        tensors = {t.name: t for t in self.source.inputs if t is not None}
        return tuple(tensors[name] for name in self.op.inputs)

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """The inputs that `values` are for."""
        return tuple(t for t in self.source.inputs if t is not None and not t.is_constant)

    def evaluate(self) -> list[Array]:
        """The outputs by midge's definition."""
        known = {t.name: v for t, v in zip(self.activations, self.values, strict=True)}
        given = [known[t.name] if t.data is None else t.data for t in self.inputs]
        return self.op.evaluate(self.inputs, self.source.outputs, given)


def case(
    code: str,
    rng: Rng,
    inputs: Sequence[Tensor | None],
    output: Tensor,
    attributes: Mapping[str, Any] | None = None,
    *,
    count: int = 1,
    others: Sequence[Tensor] = (),
) -> Case:
    """Finishes a case of `count` outputs like `output` and `others`: their shapes are inferred."""
    outputs = (output, *(replace(output, name=f"{output.name}{i}") for i in range(1, count)), *others)
    source = SourceOp(code, code.lower(), tuple(inputs), outputs, attributes or {})
    op = readers("TFLITE")[code](source)
    tensors = {t.name: t for t in inputs if t is not None}
    found = tuple(tensors[name] for name in op.inputs)
    shapes = op.infer(found)
    source = replace(source, outputs=tuple(replace(y, shape=s) for y, s in zip(outputs, shapes, strict=True)))
    assert op.check(found, source.outputs) == ""
    given = tuple(drawn_values(t, rng) for t in inputs if t is not None and t.data is None)
    return Case(source, op, given)


# Tensors and values


def drawn_scale(rng: Rng, low: float = 0.002, high: float = 0.5) -> float:
    """Small and large, each size as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def drawn_quant(rng: Rng, scale: float | None = None, dtype: DType = DType.S8) -> Quant:
    """A drawn zero point, often at an end (0 in int16), with that scale or a drawn one."""
    if dtype is DType.S16:
        return Quant.per_tensor(scale or drawn_scale(rng, 1e-5, 2e-3), 0)
    zero_point = int(rng.choice([-128, 0, 127, *rng.integers(-128, 128, 4)]))
    return Quant.per_tensor(scale or drawn_scale(rng), zero_point)


def activation(name: str, shape: Shape, dtype: DType, rng: Rng) -> Tensor:
    """A tensor that is not constant."""
    return Tensor(name, shape, dtype, drawn_quant(rng, dtype=dtype) if dtype in QUANTIZED else None)


def like(x: Tensor, name: str = "y") -> Tensor:
    """Another tensor with the same type, shape and quantization."""
    return replace(x, name=name, data=None)


def constant(name: str, values: Any) -> Tensor:
    """An int32 constant, such as axes or sizes."""
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, DType.S32, None, data)


def drawn_values(tensor: Tensor, rng: Rng) -> Array:
    """Values all over the range, or at its ends, or all alike."""
    if tensor.dtype is DType.BOOL:
        return rng.random(tensor.shape) < 0.5
    if tensor.dtype is DType.F32:
        return rng.normal(0, float(rng.choice([0.1, 1, 10])), tensor.shape).astype(np.float32)
    (low, high), number = tensor.dtype.limits, tensor.dtype.numpy
    match rng.integers(6):
        case 0:
            return rng.choice(np.array([low, high], number), tensor.shape)
        case 1:
            zero_point = 0 if tensor.quant is None else tensor.q.zero_point
            return np.full(tensor.shape, rng.choice([low, high, zero_point]), number)
        case _:
            return rng.integers(low, high + 1, tensor.shape).astype(number)


def activation_code(rng: Rng) -> int:
    """A fused activation, often none."""
    return int(rng.choice([0, 0, 1, 2, 3]))


def drawn_shape(rng: Rng, rank: int | None = None) -> Shape:
    """1 to 6 in each of `rank` dimensions, or of one to four."""
    return tuple(int(n) for n in rng.integers(1, 7, int(rng.integers(1, 5)) if rank is None else rank))
