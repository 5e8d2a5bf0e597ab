"""Writes small ONNX files for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


def node(code: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    """One node; empty names are inputs that are left out."""
    return helper.make_node(code, list(inputs), list(outputs), **attributes)


def onnx_model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    opset: int = OPSET,
    kind: int = TensorProto.FLOAT,
) -> Any:
    """The model of `nodes`; inputs are name -> shape, where text is a dynamic dimension."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def onnx_file(*args: Any, **kwargs: Any) -> bytes:
    """The bytes of onnx_model with the same arguments."""
    content: bytes = onnx_model(*args, **kwargs).SerializeToString()
    return content
