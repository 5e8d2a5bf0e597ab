"""Draws comparisons, logic, selections and casts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

import numpy as np
import tflite

from differential.drawn_cases import Case, Rng, activation, case, constant, drawn_shape, drawn_values
from midge.ir.tensor import DType, Tensor

COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
LOGIC = ("LOGICAL_AND", "LOGICAL_OR")


def _pair(code: str, dtype: DType, rng: Rng) -> Case:
    """Equal shapes, or one broadcast to the other; values that are often equal."""
    shape = drawn_shape(rng)
    other = tuple(1 if rng.random() < 0.3 else n for n in shape)[int(rng.integers(0, len(shape) + 1)) :]
    x, z = activation("x", shape, dtype, rng), activation("z", (rng.random() < 0.5 and shape) or other, dtype, rng)
    if code in LOGIC:
        x, z = (replace(t, dtype=DType.BOOL, quant=None) for t in (x, z))
    elif rng.random() < 0.5:
        z = replace(z, quant=x.quant)
    if rng.random() < 0.3 and code not in LOGIC:
        z = replace(z, data=drawn_values(z, rng))
    if rng.random() < 0.5:
        x, z = replace(z, name="x"), replace(x, name="z")
    drawn = case(code, rng, (x, z), Tensor("y", (), DType.BOOL))
    return replace(drawn, values=tuple(np.round(v) if v.dtype.kind == "f" else v for v in drawn.values))


def _select(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    z = replace(x, name="z", shape=tuple(1 if rng.random() < 0.3 else n for n in x.shape))
    if code == "SELECT":
        return case(code, rng, (Tensor("c", x.shape, DType.BOOL), x, replace(x, name="z")), replace(x, name="y"))
    condition = Tensor("c", tuple(1 if rng.random() < 0.3 else n for n in x.shape), DType.BOOL)
    return case(code, rng, (condition, x, z), replace(x, name="y"))


def _cast(code: str, dtype: DType, rng: Rng) -> Case:
    """To every other type; floats within int8, for beyond it TFLite's are undefined."""
    x = replace(activation("x", drawn_shape(rng), dtype, rng), quant=None)
    to = [DType.F32, DType.S32, DType.BOOL, DType.S8][int(rng.integers(0, 4 if dtype is DType.F32 else 3))]
    types = {
        DType.F32: tflite.TensorType.FLOAT32,
        DType.S32: tflite.TensorType.INT32,
        DType.BOOL: tflite.TensorType.BOOL,
        DType.S8: tflite.TensorType.INT8,
    }
    drawn = case(code, rng, (x,), Tensor("y", (), to), {"InDataType": types[dtype], "OutDataType": types[to]})
    return replace(drawn, values=tuple(np.clip(v, -100, 100) for v in drawn.values))


def _not(code: str, dtype: DType, rng: Rng) -> Case:
    return case(code, rng, (Tensor("x", drawn_shape(rng), DType.BOOL),), Tensor("y", (), DType.BOOL))


def _arg(code: str, dtype: DType, rng: Rng) -> Case:
    x = activation("x", drawn_shape(rng), dtype, rng)
    axis = int(rng.integers(0, len(x.shape)))
    spelled = constant("axis", axis - len(x.shape) if rng.random() < 0.3 else axis)
    return case(code, rng, (x, spelled), Tensor("y", (), DType.S32), {"OutputType": tflite.TensorType.INT32})


def _fill(code: str, dtype: DType, rng: Rng) -> Case:
    """SHAPE, FILL and ZEROS_LIKE of constants and activations."""
    x = activation("x", drawn_shape(rng), dtype, rng)
    if code == "ZEROS_LIKE":
        return case(code, rng, (replace(x, dtype=DType.F32, quant=None),), Tensor("y", (), DType.F32))
    if code == "SHAPE":
        return case(code, rng, (x,), Tensor("y", (), DType.S32), {"OutType": tflite.TensorType.INT32})
    value = Tensor("v", (), DType.F32, None, np.float32(rng.normal()).reshape(()))
    y = Tensor("y", x.shape, DType.F32)
    assert prod(x.shape) > 0
    return case(code, rng, (constant("dims", x.shape), value), y)


CONSTANTS = ("FILL", "SHAPE", "ZEROS_LIKE")
DRAWS: Mapping[str, Callable[[str, DType, Rng], Case]] = {
    **dict.fromkeys((*COMPARISONS, *LOGIC), _pair),
    **dict.fromkeys(CONSTANTS, _fill),
    "ARG_MAX": _arg,
    "ARG_MIN": _arg,
    "CAST": _cast,
    "LOGICAL_NOT": _not,
    "SELECT": _select,
    "SELECT_V2": _select,
}
