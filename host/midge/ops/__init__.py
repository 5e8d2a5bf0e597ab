"""WHAT an operator means: one module per operator, found by being in this folder."""

from midge.ops.registry import operators, readers

__all__ = ["operators", "readers"]
