"""Draws functions of one and of two values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from differential.drawn_cases import Case, Rng, activation, case, drawn_quant, drawn_shape, drawn_values, like
from midge.ir.tensor import Array, DType, Quant

# Where a real function is not defined below zero.
_FROM_ZERO = {"LOG", "RSQRT", "SQRT"}
# Functions of whole numbers alone.
WHOLE = ("FLOOR_DIV", "FLOOR_MOD")
# Functions that TFLite has no int8 form of; midge's own are compared with the real function elsewhere.
WITHOUT_INT8 = {"ADD_N", "CEIL", "COS", "DIV", "FLOOR", "LOG", "NEG", "POW", "ROUND", "SIGN", "SIN", "SQRT", "SQUARE"}


def _unary(code: str, dtype: DType, rng: Rng) -> Case:
    """All 256 values with any scales, or floats around 0."""
    x = activation("x", (1, 256), dtype, rng)
    if dtype is DType.F32:
        drawn = case(code, rng, (x,), like(x), _options(code, rng))
        (values,) = drawn.values
        return replace(drawn, values=(np.abs(values) + np.float32(1e-3),)) if code in _FROM_ZERO else drawn
    if code in _FROM_ZERO and dtype is DType.S8:
        x = replace(x, quant=Quant.per_tensor(x.q.scale, -128))
    if code == "EXP" and dtype is DType.S8:
        # TFLite does not saturate what leaves int32.
        x = replace(x, quant=Quant.per_tensor(min(x.q.scale, 0.04), x.q.zero_point))
    spread = float(np.exp(rng.uniform(-1, 3) if code != "HARD_SWISH" else rng.uniform(-3, 3)))
    y = replace(like(x), quant=drawn_quant(rng, max(x.q.scale * spread, x.q.scale / 127), dtype))
    if dtype is DType.S16:
        return case(code, rng, (x,), y, _options(code, rng))
    return replace(
        case(code, rng, (x,), y, _options(code, rng)), values=(np.arange(-128, 128, dtype=np.int8).reshape(1, 256),)
    )


def _options(code: str, rng: Rng) -> dict[str, object]:
    return {"Approximate": bool(rng.integers(0, 2))} if code == "GELU" else {}


def _binary(code: str, dtype: DType, rng: Rng) -> Case:
    """Equal shapes, or one broadcast to the other in some dimensions; one operand may be constant."""
    shape = drawn_shape(rng)
    other = tuple(1 if rng.random() < 0.3 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
    x, z = activation("x", shape, dtype, rng), activation("z", (rng.random() < 0.5 and shape) or other, dtype, rng)
    if code in ("MAXIMUM", "MINIMUM"):
        z = replace(z, quant=x.quant)
    if rng.random() < 0.3 or code == "PRELU":
        z = replace(z, data=drawn_values(z, rng))
    if rng.random() < 0.5 and code != "PRELU":
        x, z = replace(z, name="x"), replace(x, name="z")
    y = like(x)
    if dtype is DType.S8 and code not in ("MAXIMUM", "MINIMUM"):
        size = max(x.q.scale, z.q.scale)
        natural = {"SQUARED_DIFFERENCE": size * size * 64, "DIV": x.q.scale / z.q.scale / 30, "PRELU": x.q.scale}[code]
        y = replace(y, quant=drawn_quant(rng, natural * float(np.exp(rng.uniform(-1, 1)))))
    drawn = case(code, rng, (x, z), y, {"FusedActivationFunction": int(rng.integers(0, 4))} if code == "DIV" else {})
    return _without_zeros(drawn) if dtype is DType.S32 and code in ("DIV", *WHOLE) else drawn


def _whole(code: str, dtype: DType, rng: Rng) -> Case:
    """Int32 whatever `dtype` is."""
    return _binary(code, DType.S32, rng)


def _without_zeros(drawn: Case) -> Case:
    """No whole number is divided by 0 or -1, which ends TFLite's process."""
    inputs = tuple(t if t is None or t.data is None else replace(t, data=_neither(t.data)) for t in drawn.source.inputs)
    return replace(drawn, source=replace(drawn.source, inputs=inputs), values=tuple(map(_neither, drawn.values)))


def _neither(values: Array) -> Array:
    """The same with two bits as neither 0 nor -1 has them."""
    return np.asarray((values | 2) & -5, values.dtype)


def _pow(code: str, dtype: DType, rng: Rng) -> Case:
    """As _binary; bases that are not negative, but in int32, where exponents are not."""
    drawn = _binary("DIV", dtype, rng)
    x, z = drawn.source.inputs
    assert x is not None
    assert z is not None
    if dtype is DType.S8:
        y = drawn.source.outputs[0]
        z = replace(z, quant=Quant.per_tensor(float(rng.choice([z.q.scale, 1.0, 2 / 255])), z.q.zero_point))
        largest = float(np.exp(rng.uniform(-1, 4)))
        drawn = case(code, rng, (x, z), replace(y, quant=drawn_quant(rng, largest / 127)))
        return drawn
    if dtype is DType.S32:
        z = z if z.data is None else replace(z, data=z.data & 63)
    else:
        x = x if x.data is None else replace(x, data=np.abs(x.data))
    drawn = case(code, rng, (x, z), like(x))
    bases = [t.name == x.name for t in drawn.activations]
    if dtype is DType.S32:
        return replace(drawn, values=tuple(v if b else v & 63 for v, b in zip(drawn.values, bases, strict=True)))
    return replace(drawn, values=tuple(np.abs(v) if b else v for v, b in zip(drawn.values, bases, strict=True)))


UNARY: Mapping[str, Callable[[str, DType, Rng], Case]] = dict.fromkeys(
    (
        *("ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LOG", "NEG", "ROUND", "RSQRT", "SIGN"),
        *("SIN", "SQRT", "SQUARE"),
    ),
    _unary,
)
BINARY: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    **dict.fromkeys(("DIV", "MAXIMUM", "MINIMUM", "PRELU", "SQUARED_DIFFERENCE"), _binary),
    **dict.fromkeys(WHOLE, _whole),
}


def _add_n(code: str, dtype: DType, rng: Rng) -> Case:
    """Two to five tensors, floats or int32."""
    kind = DType.S32 if dtype is DType.S32 else DType.F32
    shape = drawn_shape(rng)
    inputs = [activation(f"x{i}", shape, kind, rng) for i in range(int(rng.integers(2, 6)))]
    if rng.random() < 0.3:
        inputs[-1] = replace(inputs[-1], data=drawn_values(inputs[-1], rng))
    return case(code, rng, inputs, like(inputs[0]))


OWN: Mapping[str, Callable[[str, DType, Rng], Case]] = {"ADD_N": _add_n, "POW": _pow}
