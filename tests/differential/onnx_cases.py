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

# Operators whose inputs are all values; of others the first input alone is.
_ALL_VALUES = frozenset(["Add", "Sub", "Mul", "Div", "Concat", "Max", "Min", "Pow", "Sum"])


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
    runtime = []
    for index, (name, value) in enumerate(zip(record["inputs"], given, strict=True)):
        if index and model.graph.node[0].op_type not in _ALL_VALUES:
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        else:
            runtime.append(value)
    return OnnxCase(record["name"], tuple(record["ops"]), model.SerializeToString(), tuple(runtime), gave)


def _narrow(value: Array) -> Array:
    """Indices as midge gives them: int32, which holds them all, instead of int64."""
    return value.astype(np.int32) if value.dtype == np.int64 else value
