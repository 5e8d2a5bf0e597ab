"""ONNX's operator cases: one-node models with inputs and the outputs that the definition gives.

What a network would hold as a constant (weights, axes, bounds, scales) is made one; the rest is given at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from midge.ir.tensor import Array

# How many inputs of an operator are values: of these all or so many, of others the first alone.
_VALUES = {
    **dict.fromkeys(["Add", "Sub", "Mul", "Div", "Concat", "Max", "Min", "Pow", "Sum"], 1 << 30),
    "NonMaxSuppression": 2,
}


@dataclass(frozen=True, eq=False)
class OnnxCase:
    """A model file's bytes with the inputs and outputs of one call."""

    name: str
    operators: tuple[str, ...]
    model: bytes
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]


def load_case(folder: Path, record: Mapping[str, Any]) -> OnnxCase:
    """The case in `folder`; `record` is what the manifest says of it."""
    model = onnx.load(folder / "model.onnx")
    with np.load(folder / "data.npz") as arrays:
        given = [arrays[f"in{i}"] for i in range(len(record["inputs"]))]
        gave = tuple(_narrow(arrays[f"out{i}"]) for i in range(len(record["outputs"])))
    if model.graph.node[0].op_type == "NonMaxSuppression":
        gave = (_filled(gave[0], given),)
    runtime = []
    for index, (name, value) in enumerate(zip(record["inputs"], given, strict=True)):
        if index >= _VALUES.get(model.graph.node[0].op_type, 1):
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        else:
            runtime.append(value)
    return OnnxCase(record["name"], tuple(record["ops"]), model.SerializeToString(), tuple(runtime), gave)


def _narrow(value: Array) -> Array:
    """Indices as midge gives them: int32, which holds them all, instead of int64."""
    return value.astype(np.int32) if value.dtype == np.int64 else value


def _filled(rows: Array, given: list[Array]) -> Array:
    """The rows of NonMaxSuppression, as many as there can be: those that are not needed are -1."""
    batches, classes, boxes = given[1].shape
    most = batches * classes * min(boxes, int(given[2][0]))
    return np.pad(rows, ((0, most - len(rows)), (0, 0)), constant_values=-1)
