"""Writes a graph as a .tflite file that TensorFlow Lite's reference kernels compute alike, bit for bit."""

from __future__ import annotations

from midge.errors import UnsupportedModelError
from midge.exporters.tflite_file import tflite_file
from midge.ir.graph import Graph, Op
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.registry import tflite_writers


def export_tflite(graph: Graph) -> bytes:
    """The file's content. Names of layers are not part of the format: readers make their own.

    Raises UnsupportedModelError naming every layer that TensorFlow Lite has no operator for (what midge itself makes
    when it optimizes, for example).
    """
    operators, problems = list[SourceOp](), list[str]()
    if graph.updates:
        problems.append(f"{', '.join(graph.updates)}: what the network keeps between calls")
    for op in graph.ops:
        try:
            operators += _written(graph, op)
        except UnsupportedOp as problem:
            problems.append(f"{op.name} ({op.kind}): {problem.reason}")
    if problems:
        raise UnsupportedModelError(
            f"{graph.name} cannot be written as .tflite: " + "; ".join(problems),
            hint="midge compile and midge run take the model as it is",
        )
    return tflite_file(operators, graph.input_tensors, graph.output_tensors)


def _written(graph: Graph, op: Op) -> list[SourceOp]:
    writer = tflite_writers().get(op.kind)
    if writer is None:
        raise UnsupportedOp("TensorFlow Lite has no such operator", "")
    return writer(op, graph.inputs_of(op), graph.outputs_of(op))
