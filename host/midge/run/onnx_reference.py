"""ONNX's own reference implementation, live: the definition that ONNX models are held equal to.

It is plain Python over numpy, slow and exact about what each operator means.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from midge.errors import UnsupportedModelError
from midge.ir.graph import Array, Graph

_QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
_IMPLEMENTED = 19


class OnnxReference:
    """The model file at `path` in ONNX's reference evaluator; inputs and outputs in the order of `graph`.

    Raises UnsupportedModelError when the evaluator refuses the model.
    """

    def __init__(self, path: Path, graph: Graph) -> None:
        import onnx
        from onnx import version_converter
        from onnx.reference import ReferenceEvaluator

        self._name, self._graph = path.name, graph
        try:
            model = onnx.load(path)
            constants = {proto.name for proto in model.graph.initializer}
            self._inputs = [proto.name for proto in model.graph.input if proto.name not in constants]
            # The evaluator has quantization from an opset on; the converter rewrites what changed until there.
            if any(node.op_type in _QUANTIZATION for node in model.graph.node) and _opset(model) < _IMPLEMENTED:
                model = version_converter.convert_version(model, _IMPLEMENTED)
            self._evaluator = ReferenceEvaluator(model)
        except Exception as problem:
            raise self._refusal(problem) from problem

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for one sample."""
        try:
            with np.errstate(all="ignore"):
                found = self._evaluator.run(None, dict(zip(self._inputs, inputs, strict=True)))
        except Exception as problem:  # the evaluator raises whatever its numpy code raises
            raise self._refusal(problem) from problem
        return [np.asarray(value).reshape(t.shape) for value, t in zip(found, self._graph.output_tensors, strict=True)]

    def reset(self) -> None:
        """Nothing: a graph of ONNX keeps no state."""

    def __enter__(self) -> OnnxReference:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to let go of."""

    def _refusal(self, problem: Exception) -> UnsupportedModelError:
        return UnsupportedModelError(
            f"ONNX's reference evaluator refuses {self._name}: {problem}",
            hint="compare with stored outputs instead: --golden FILE.npz",
        )


def _opset(model: Any) -> int:
    return max((int(o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
