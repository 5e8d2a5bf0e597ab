"""Types and shapes of an ONNX network's inputs, and what the caller says of dimensions that the file leaves open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def has_batch(outputs: Iterable[Any]) -> bool:
    """Whether all network outputs begin with a dimension that is open, or 0 as some exporters write an open one."""
    dims = [list(proto.type.tensor_type.shape.dim) for proto in outputs]
    return all(not shape or shape[0].dim_value < 1 for shape in dims)


def input_type(proto: Any, is_tensor: bool, chosen: Shape | None = None, *, batch: bool = True) -> tuple[DType, Shape]:
    """Element type and shape of a network input; open dimensions as `chosen`, else a first one is a batch of 1.

    A dimension of 0 is one, but for the first of several where the network has a `batch`: there it is taken for open.

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
        fixed = int(dim.dim_value) if dim.HasField("dim_value") else -1
        is_open = fixed < 0 or (fixed == 0 and index == 0 and batch and len(proto.shape.dim) > 1)
        if is_open and index > 0 and chosen is None:
            raise UnsupportedOp(f"its dimension {index} is dynamic", f"{_STATIC}, or say it: --input-shape NAME=1x7x5")
        shape.append(1 if is_open else fixed)
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
