"""ONNX's own reference implementation, live: the definition that ONNX models are held equal to.

It is plain Python over numpy, slow and exact about what each operator means.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from midge.errors import UnsupportedModelError
from midge.ir.graph import Graph
from midge.ir.tensor import Array

_QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
_IMPLEMENTED = 19


class OnnxReference:
    """A model, a file or its content, in ONNX's reference evaluator; inputs and outputs in the order of `graph`.

    Raises UnsupportedModelError when the evaluator refuses the model.
    """

    def __init__(self, model: Path | bytes, graph: Graph) -> None:
        import onnx
        from onnx import version_converter
        from onnx.reference import ReferenceEvaluator

        self._name, self._graph = graph.name, graph
        try:
            proto = onnx.load_model_from_string(model) if isinstance(model, bytes) else onnx.load(model)
            constants = {constant.name for constant in proto.graph.initializer}
            self._inputs = [i.name for i in proto.graph.input if i.name not in constants]
            # The evaluator has quantization from an opset on; the converter rewrites what changed until there.
            if any(node.op_type in _QUANTIZATION for node in proto.graph.node) and _opset(proto) < _IMPLEMENTED:
                proto = version_converter.convert_version(proto, _IMPLEMENTED)
            self._evaluator = ReferenceEvaluator(proto)
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
