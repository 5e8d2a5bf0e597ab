"""Reads TensorFlow Lite models. Knows the file format and no operator: those read themselves, in midge.ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tflite.Model import Model

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers import flatbuffer, limits
from midge.importers.file_format import is_tflite, unknown_format
from midge.importers.flatbuffer import DamagedFile
from midge.importers.problems import Problem, unsupported
from midge.importers.tflite_layers import DENSIFY, Layer, code_of, only, operands, read_layers
from midge.importers.tflite_layout import MODEL
from midge.importers.tflite_operators import SPELLING, attributes
from midge.importers.tflite_states import (
    ASSIGN,
    CALL_ONCE,
    CODES,
    VAR_HANDLE,
    Key,
    Variables,
    check_variable_tensors,
)
from midge.importers.tflite_tensors import TensorReader
from midge.importers.tflite_uint8 import computed_with
from midge.ir.graph import Graph
from midge.ir.tensor import Tensor
from midge.ir.verify import verify
from midge.ops import readers
from midge.ops.formats import UnsupportedOp
from midge.ops.quantize import Quantize

_SCHEMA_VERSION = 3


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
            raise UnsupportedModelError(
                f"{name} has schema version {model.Version()}; TensorFlow Lite's runtime and midge read version "
                f"{_SCHEMA_VERSION} alone",
                hint="convert the model again from its source with TensorFlow Lite's converter",
            )
        if model.SubgraphsLength() == 0:
            raise DamagedFile("it has no subgraph")
    except DamagedFile as problem:
        raise _damaged(name, problem) from problem
    return model


def _damaged(name: str, problem: DamagedFile) -> ModelFileError:
    return ModelFileError(f"{name} is damaged: {problem}", hint="copy or export the file again")


def _read_graph(model: Any, data: bytes, name: str) -> Graph:
    """The first subgraph is what an inference runs; another one may give variables their start, by CALL_ONCE."""
    subgraph = model.Subgraphs(0)
    tensors = TensorReader(model, subgraph, data)
    variables, problems = _variables(model, subgraph, data)
    _shift_uint8(model, subgraph, tensors)
    layers = read_layers(model, subgraph, tensors, variables, problems)
    inputs = _ends(operands(subgraph, "Inputs"), tensors, "input", problems)
    outputs = _ends(operands(subgraph, "Outputs"), tensors, "output", problems)
    layers = _with_uint8_ends(layers, subgraph, tensors)
    if problems:
        raise unsupported(name, problems, {*readers(SPELLING), *CODES, DENSIFY})
    used = (
        *inputs,
        *outputs,
        *variables.now.values(),
        *(t for layer in layers for t in (*layer.inputs, *layer.outputs)),
    )
    updates = {**variables.updates(), **{s: n for layer in layers for s, n in layer.updates.items()}}
    check_variable_tensors([layer.op for layer in layers], {t.name: t for t in used}, updates)
    _check_order(layers, inputs, outputs)
    graph = Graph(
        name,
        tuple(t.name for t in inputs),
        tuple(t.name for t in outputs),
        {t.name: t for t in used},
        tuple(layer.op for layer in layers),
        updates,
    )
    return graph.with_ops(graph.ops)


def _shift_uint8(model: Any, subgraph: Any, tensors: TensorReader) -> None:
    """Says in int8 what the operators compute with in uint8."""
    tables = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
    operators = ((code_of(model, t), (*operands(t, "Inputs"), *operands(t, "Outputs"))) for t in tables)
    found = computed_with(operators, tensors.is_quantized_uint8, tensors.is_float)
    tensors.shift(found, (*operands(subgraph, "Inputs"), *operands(subgraph, "Outputs")))


def _with_uint8_ends(layers: Sequence[Layer], subgraph: Any, tensors: TensorReader) -> list[Layer]:
    """The layers between QUANTIZE from and to the network's uint8 inputs and outputs, which stay as they are."""
    before = [_quantize(tensors.declared(i), tensors[i]) for i in operands(subgraph, "Inputs") if tensors.is_shifted(i)]
    after = [_quantize(tensors[i], tensors.declared(i)) for i in operands(subgraph, "Outputs") if tensors.is_shifted(i)]
    return [*before, *layers, *after]


def _quantize(x: Tensor, y: Tensor) -> Layer:
    return Layer(Quantize(name=f"{x.name}/to_{y.dtype.value}", inputs=(x.name,), outputs=(y.name,)), (x,), (y,))


def _variables(model: Any, subgraph: Any, data: bytes) -> tuple[Variables, list[Problem]]:
    """The variables behind handles, with what CALL_ONCE assigns to them before the first inference."""
    codes = [code_of(model, subgraph.Operators(i)) for i in range(subgraph.OperatorsLength())]
    once = [subgraph.Operators(i) for i, code in enumerate(codes) if code == CALL_ONCE]
    if len(once) > 1:
        raise DamagedFile("it calls CALL_ONCE more than once")
    if not once:
        return Variables(assigned=_assigned(subgraph, codes)), []
    index = attributes(once[0])["InitSubgraphIndex"]
    if not 0 < index < model.SubgraphsLength():
        raise DamagedFile(f"CALL_ONCE calls subgraph {index} of {model.SubgraphsLength()}")
    first = model.Subgraphs(index)
    if CALL_ONCE in (code_of(model, first.Operators(i)) for i in range(first.OperatorsLength())):
        raise DamagedFile("the subgraph that CALL_ONCE calls has a CALL_ONCE of its own")
    tensors, found = TensorReader(model, first, data), Variables()
    problems: list[Problem] = []
    layers = read_layers(model, first, tensors, found, problems)
    if problems:
        return Variables(assigned=_assigned(subgraph, codes)), problems
    _check_order(layers, (), ())
    if sum(layer.op.macs(layer.inputs, layer.outputs) for layer in layers) > limits.MAX_MACS_ONCE:
        raise DamagedFile("what CALL_ONCE calls computes more than any start value needs")
    values = {t.name: t.data for layer in layers for t in layer.inputs if t.data is not None}
    with np.errstate(all="ignore"):
        for layer in layers:
            results = layer.op.evaluate(layer.inputs, layer.outputs, [values[n] for n in layer.op.inputs])
            values.update(zip(layer.op.outputs, results, strict=True))
    initial = {key: t.data if t.data is not None else values[t.name] for key, t in found.now.items()}
    return Variables(initial, _assigned(subgraph, codes)), []


def _assigned(subgraph: Any, codes: Sequence[str]) -> frozenset[Key]:
    """The variables that the subgraph assigns."""
    found = Variables()
    assigned = set()
    for index, code in enumerate(codes):
        table = subgraph.Operators(index)
        if code == VAR_HANDLE:
            found.handle(only(table, "Outputs"), attributes(table))
        elif code == ASSIGN and table.InputsLength() == 2 and table.Inputs(0) in found.handles:
            assigned.add(found.handles[table.Inputs(0)])
    return frozenset(assigned)


def _ends(indices: Sequence[int], tensors: TensorReader, what: str, problems: list[Problem]) -> list[Tensor]:
    """The network's inputs or outputs; adds to `problems` those that midge cannot have."""
    if not indices or len(set(indices)) != len(indices):
        raise DamagedFile(f"the network has no {what}" if not indices else f"the network lists an {what} twice")
    found = []
    for index in indices:
        try:
            tensor = tensors.declared(index)
            if tensor.is_constant or tensor.is_state:
                kind = "a constant" if tensor.is_constant else "a variable"
                raise UnsupportedOp(f"it is {kind}", f"export the model without this {what}")
            found.append(tensor)
        except UnsupportedOp as problem:
            problems.append(Problem(tensors.names[index], f"network {what}", problem.reason, problem.remedy))
    return found


def _check_order(layers: Sequence[Layer], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """Every tensor is written once, and before it is read."""
    written = {t.name for t in inputs}
    for layer in layers:
        for tensor in layer.inputs:
            if not tensor.is_constant and not tensor.is_state and tensor.name not in written:
                raise DamagedFile(f"layer {layer.op.name} reads {tensor.name} before anything writes it")
        for tensor in layer.outputs:
            if tensor.is_constant or tensor.is_state or tensor.name in written:
                raise DamagedFile(f"layer {layer.op.name} writes {tensor.name}, which already has a value")
            written.add(tensor.name)
    for tensor in outputs:
        if tensor.name not in written:
            raise DamagedFile(f"nothing writes the output {tensor.name}")
