"""WHAT an operator means: one module per operator, found by being in this folder."""

from midge.ops.registry import onnx_readers, operators, readers

__all__ = ["onnx_readers", "operators", "readers"]
