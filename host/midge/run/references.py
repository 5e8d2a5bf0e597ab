"""Which reference answers for a model: the one of the format that it came in."""

from __future__ import annotations

from midge.importers import Imported
from midge.run.onnx_reference import OnnxReference
from midge.run.reference import Reference

AnyReference = Reference | OnnxReference


def reference_name(imported: Imported) -> str:
    """What reports call the reference."""
    return "ONNX reference evaluator" if imported.is_onnx else "TensorFlow Lite reference kernels"


def open_reference(imported: Imported) -> AnyReference:
    """The model in its format's reference, to be used in a `with`. Raises MidgeError when it refuses the model."""
    if imported.is_onnx:
        return OnnxReference(imported.exported or imported.path, imported.graph)
    return Reference(imported.path)
