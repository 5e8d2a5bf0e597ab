"""Types and shapes of an ONNX network's inputs, and what the caller says of dimensions that the file leaves open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx

from midge.errors import SettingsError
from midge.importers import limits
from midge.importers.flatbuffer import DamagedFile
from midge.ir.tensor import DType, Shape
from midge.ops.formats import UnsupportedOp

_STATIC = "export the model with fixed shapes"


def chosen_shapes(shapes: Mapping[str, Shape], inputs: Collection[str], name: str) -> Mapping[str, Shape]:
    """`shapes`, once they are of inputs that there are. Raises SettingsError."""
    for given, shape in shapes.items():
        if given not in inputs:
            known = ", ".join(sorted(inputs))[:200]
            raise SettingsError(f"{name} has no input {given}", hint=f"its inputs are {known}")
        if not shape or len(shape) > limits.MAX_RANK or min(shape) < 1:
            raise SettingsError(f"{list(shape)} is no shape of an input", hint="for example 1x7x5")
    return shapes


def input_type(proto: Any, is_tensor: bool, chosen: Shape | None = None) -> tuple[DType, Shape]:
    """Element type and shape of a network input; open dimensions as `chosen`, else a first one is a batch of 1.

    Raises UnsupportedOp where that leaves a dimension open, SettingsError where `chosen` contradicts the file.
    """
    if not is_tensor:
        raise UnsupportedOp("it is no tensor", "export the model with tensors as inputs")
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(proto.elem_type).name
        dtype = DType(kind)
    except (KeyError, ValueError, TypeError) as problem:
        raise UnsupportedOp(f"a type that midge does not have ({proto.elem_type})", _STATIC) from problem
    if not proto.HasField("shape"):
        if chosen is not None:
            return dtype, chosen
        raise UnsupportedOp("it has no shape", _STATIC)
    shape = []
    for index, dim in enumerate(proto.shape.dim):
        fixed = dim.dim_value if dim.HasField("dim_value") else 0
        if fixed < 1 and index > 0 and chosen is None:
            raise UnsupportedOp(f"its dimension {index} is dynamic", f"{_STATIC}, or say it: --input-shape NAME=1x7x5")
        shape.append(int(max(fixed, 1)))
    if chosen is not None:
        declared = [int(dim.dim_value) if dim.HasField("dim_value") else 0 for dim in proto.shape.dim]
        if len(chosen) != len(declared) or any(0 < d != c for d, c in zip(declared, chosen, strict=True)):
            raise SettingsError(
                f"the input shape {list(chosen)} contradicts the file's {[d or '?' for d in declared]}",
                hint="give a size for each dimension, and the file's own where it has one",
            )
        shape = list(chosen)
    if len(shape) > limits.MAX_RANK or np.prod(shape, dtype=float) > limits.MAX_ELEMENTS:
        raise DamagedFile(f"an input has the shape {shape[:10]}")
    return dtype, tuple(shape)
