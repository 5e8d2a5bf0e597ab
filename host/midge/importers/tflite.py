"""Reads TensorFlow Lite models. Knows the file format and no operator: those read themselves, in midge.ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tflite.Model import Model

from midge.errors import ModelFileError
from midge.importers import flatbuffer, limits
from midge.importers.file_format import is_tflite, unknown_format
from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import layer_name, unique_names
from midge.importers.problems import Problem, unknown_operator, unsupported, wrong_types
from midge.importers.tflite_layout import MODEL
from midge.importers.tflite_operators import CUSTOM, attributes, operator_code
from midge.importers.tflite_tensors import TensorReader
from midge.ir.graph import DType, Graph, Op, Tensor
from midge.ir.verify import verify
from midge.ops import readers
from midge.ops.dequantize import Dequantize
from midge.ops.formats import SourceOp, UnsupportedOp

_SCHEMA_VERSION = 3
_SPELLING = "TFLITE"
# What an operator's own code may raise on tensors and options that cannot be: the file is at fault.
_NONSENSE = (ValueError, IndexError, KeyError, TypeError, ArithmeticError)


def import_tflite(data: bytes, name: str) -> Graph:
    """The graph of a TensorFlow Lite model; `name` is what the graph and error messages call it.

    Raises ModelFileError when the file is no such model or contradicts itself, and UnsupportedModelError, listing
    every layer at fault, when it is sound but asks for what midge does not do.
    """
    model = _open(data, name)
    try:
        graph = _read_graph(model, data, name)
    except DamagedFile as problem:
        raise _damaged(name, problem) from problem
    limits.check_size(graph)
    return verify(graph)


def tensor_names(data: bytes, name: str) -> tuple[str, ...]:
    """What the graph calls each tensor of the model, by the file's index; the names of unused tensors too."""
    model = _open(data, name)
    return TensorReader(model, model.Subgraphs(0), data).names


def _open(data: bytes, name: str) -> Any:
    """The root of the flatbuffer, once its structure is known to be sound."""
    if not is_tflite(data):
        raise unknown_format(data, name)
    if len(data) > limits.MAX_FILE_BYTES:
        raise ModelFileError(f"{name} has {len(data)} bytes", hint=f"midge reads up to {limits.MAX_FILE_BYTES} bytes")
    try:
        flatbuffer.check(data, MODEL)
        model = Model.GetRootAs(data)
        if model.Version() != _SCHEMA_VERSION:
            raise DamagedFile(f"it has schema version {model.Version()}, TensorFlow Lite's is {_SCHEMA_VERSION}")
        if model.SubgraphsLength() == 0:
            raise DamagedFile("it has no subgraph")
    except DamagedFile as problem:
        raise _damaged(name, problem) from problem
    return model


def _damaged(name: str, problem: DamagedFile) -> ModelFileError:
    return ModelFileError(f"{name} is damaged: {problem}", hint="copy or export the file again")


def _read_graph(model: Any, data: bytes, name: str) -> Graph:
    """The first subgraph: the one that an inference runs. Others belong to operators that midge does not have."""
    subgraph = model.Subgraphs(0)
    tensors = TensorReader(model, subgraph, data)
    layers, problems = _read_layers(model, subgraph, tensors)
    inputs = _ends(_indices(subgraph, "Inputs"), tensors, "input", problems)
    outputs = _ends(_indices(subgraph, "Outputs"), tensors, "output", problems)
    if problems:
        raise unsupported(name, problems, readers(_SPELLING))
    _check_order(layers, inputs, outputs)
    used = (*inputs, *outputs, *(t for layer in layers for t in (*layer.inputs, *layer.outputs)))
    return Graph(
        name,
        tuple(t.name for t in inputs),
        tuple(t.name for t in outputs),
        {t.name: t for t in used},
        tuple(layer.op for layer in layers),
    )


@dataclass(frozen=True)
class _Layer:
    """An operator with its tensors."""

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def _read_layers(model: Any, subgraph: Any, tensors: TensorReader) -> tuple[list[_Layer], list[Problem]]:
    """Every layer that can be done, and the problem of every one that cannot."""
    tables = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
    if not tables:
        raise DamagedFile("it has no operators")
    if (operands := sum(t.InputsLength() + t.OutputsLength() for t in tables)) > limits.MAX_TOTAL_OPERANDS:
        raise DamagedFile(f"its operators name {operands} tensors, more than {limits.MAX_TOTAL_OPERANDS}")
    names = unique_names((_name(model, table, tensors) for table in tables), of="layer")
    layers: list[_Layer] = []
    problems: list[Problem] = []
    for table, name in zip(tables, names, strict=True):
        try:
            found = _read_layer(model, table, name, tensors)
        except DamagedFile as problem:
            raise DamagedFile(f"layer {name}: {problem}") from problem
        if isinstance(found, Problem):
            problems.append(found)
        else:
            layers += found
    return layers, problems


def _name(model: Any, table: Any, tensors: TensorReader) -> str:
    index = table.Outputs(0) if table.OutputsLength() else -1
    raw = tensors.raw_names[index] if 0 <= index < len(tensors.raw_names) else ""
    try:
        return layer_name(raw, operator_code(model, table.OpcodeIndex()))
    except UnsupportedOp:
        return layer_name(raw, CUSTOM)


def _read_layer(model: Any, table: Any, name: str, tensors: TensorReader) -> tuple[_Layer, ...] | Problem:
    code = CUSTOM
    try:
        code = operator_code(model, table.OpcodeIndex())
        if (reader := readers(_SPELLING).get(code)) is None:
            return unknown_operator(name, code)
        inputs = tuple(tensors.optional(i) for i in _indices(table, "Inputs"))
        outputs = tuple(tensors[i] for i in _indices(table, "Outputs"))
        op = reader(SourceOp(code, name, inputs, outputs, attributes(table)))
        known = {t.name: t for t in (*inputs, *outputs) if t is not None}
        op, before = _with_float_weights(op, known)
        layer = _checked(op, code, known)
        return layer if isinstance(layer, Problem) else (*before, layer)
    except UnsupportedOp as problem:
        return Problem(name, code, problem.reason, problem.remedy)
    except DamagedFile:
        raise
    except _NONSENSE as problem:
        raise DamagedFile(f"this {code} cannot be: {problem}") from problem


def _with_float_weights(op: Op, known: dict[str, Tensor]) -> tuple[Op, tuple[_Layer, ...]]:
    """A dynamic-range (hybrid) operator without integers of its own as a float one that reads its weights dequantized.

    Adds the float weights to `known`; other operators come back as they are.
    """
    reads = [known[name] for name in op.inputs]
    if not op.weight_axis or reads[0].dtype is not DType.F32 or not op.check(reads, [known[n] for n in op.outputs]):
        return op, ()
    layers: list[_Layer] = []
    for index in op.weight_axis:
        weights = known[op.inputs[index]]
        if weights.dtype is not DType.S8 or not weights.is_constant or weights.quant is None:
            continue
        made = Tensor(f"{weights.name}/{op.name}/float", weights.shape, DType.F32)
        known[made.name] = made
        name = f"{op.name}/weights"
        layers.append(_Layer(Dequantize(name=name, inputs=(weights.name,), outputs=(made.name,)), (weights,), (made,)))
        inputs = (*op.inputs[:index], made.name, *op.inputs[index + 1 :])
        op = replace(op, inputs=inputs)
    return op, tuple(layers)


def _checked(op: Op, code: str, tensors: Mapping[str, Tensor]) -> _Layer | Problem:
    """The layer, once the operator accepts its tensors and their shapes agree with what it computes."""
    layer = _Layer(op, tuple(tensors[n] for n in op.inputs), tuple(tensors[n] for n in op.outputs))
    if reason := op.check(layer.inputs, layer.outputs):
        return wrong_types(op.name, code, reason, layer.inputs, layer.outputs)
    expected, found = op.infer(layer.inputs), tuple(t.shape for t in layer.outputs)
    if expected != found:
        raise DamagedFile(f"this {code} gives the shapes {expected}, the file says {found}")
    if reason := limits.too_large(op, layer.inputs):
        return Problem(op.name, code, reason, "use a smaller input or smaller strides and dilations")
    return layer


def _indices(table: Any, vector: str) -> tuple[int, ...]:
    """A vector of tensor indices, empty when it is absent."""
    if getattr(table, f"{vector}Length")() == 0:
        return ()
    return tuple(int(i) for i in getattr(table, f"{vector}AsNumpy")())


def _ends(indices: Sequence[int], tensors: TensorReader, what: str, problems: list[Problem]) -> list[Tensor]:
    """The network's inputs or outputs; adds to `problems` those that midge cannot have."""
    if not indices or len(set(indices)) != len(indices):
        raise DamagedFile(f"the network has no {what}" if not indices else f"the network lists an {what} twice")
    found = []
    for index in indices:
        try:
            tensor = tensors[index]
            if tensor.is_constant:
                raise UnsupportedOp("it is a constant", f"export the model without this {what}")
            found.append(tensor)
        except UnsupportedOp as problem:
            problems.append(Problem(tensors.names[index], f"network {what}", problem.reason, problem.remedy))
    return found


def _check_order(layers: Sequence[_Layer], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """Every tensor is written once, and before it is read."""
    written = {t.name for t in inputs}
    for layer in layers:
        for tensor in layer.inputs:
            if not tensor.is_constant and tensor.name not in written:
                raise DamagedFile(f"layer {layer.op.name} reads {tensor.name} before anything writes it")
        for tensor in layer.outputs:
            if tensor.is_constant or tensor.name in written:
                raise DamagedFile(f"layer {layer.op.name} writes {tensor.name}, which already has a value")
            written.add(tensor.name)
    for tensor in outputs:
        if tensor.name not in written:
            raise DamagedFile(f"nothing writes the output {tensor.name}")
