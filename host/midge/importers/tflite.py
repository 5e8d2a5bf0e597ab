"""Reads TensorFlow Lite models. Knows the file format and no operator: those read themselves, in midge.ops."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tflite.Model import Model

from midge.errors import ModelFileError, UnsupportedModelError
from midge.importers import flatbuffer, limits
from midge.importers import tflite_uint8 as uint8
from midge.importers.file_format import is_tflite, unknown_format
from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import layer_name, unique_names
from midge.importers.problems import Problem, unknown_operator, unsupported, wrong_types
from midge.importers.tflite_layout import MODEL
from midge.importers.tflite_operators import CUSTOM, attributes, operator_code
from midge.importers.tflite_states import (
    ASSIGN,
    CALL_ONCE,
    CODES,
    READ,
    VAR_HANDLE,
    Key,
    Variables,
    check_variable_tensors,
    updated_states,
)
from midge.importers.tflite_tensors import TensorReader
from midge.ir.graph import DType, Graph, Op, Tensor
from midge.ir.verify import verify
from midge.ops import readers
from midge.ops.copy import Copy
from midge.ops.dequantize import Dequantize
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.quantize import Quantize

_SCHEMA_VERSION = 3
_SPELLING = "TFLITE"
_DENSIFY = "DENSIFY"
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
    layers = _read_layers(model, subgraph, tensors, variables, problems)
    inputs = _ends(_indices(subgraph, "Inputs"), tensors, "input", problems)
    outputs = _ends(_indices(subgraph, "Outputs"), tensors, "output", problems)
    layers = _with_uint8_ends(layers, subgraph, tensors)
    if problems:
        raise unsupported(name, problems, {*readers(_SPELLING), *CODES, _DENSIFY})
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
    operators = ((_code(model, t), (*_indices(t, "Inputs"), *_indices(t, "Outputs"))) for t in tables)
    found = uint8.computed_with(operators, tensors.is_quantized_uint8, tensors.is_float)
    tensors.shift(found, (*_indices(subgraph, "Inputs"), *_indices(subgraph, "Outputs")))


def _with_uint8_ends(layers: Sequence[_Layer], subgraph: Any, tensors: TensorReader) -> list[_Layer]:
    """The layers between QUANTIZE from and to the network's uint8 inputs and outputs, which stay as they are."""
    before = [_quantize(tensors.declared(i), tensors[i]) for i in _indices(subgraph, "Inputs") if tensors.is_shifted(i)]
    after = [_quantize(tensors[i], tensors.declared(i)) for i in _indices(subgraph, "Outputs") if tensors.is_shifted(i)]
    return [*before, *layers, *after]


def _quantize(x: Tensor, y: Tensor) -> _Layer:
    return _Layer(Quantize(name=f"{x.name}/to_{y.dtype.value}", inputs=(x.name,), outputs=(y.name,)), (x,), (y,))


def _variables(model: Any, subgraph: Any, data: bytes) -> tuple[Variables, list[Problem]]:
    """The variables behind handles, with what CALL_ONCE assigns to them before the first inference."""
    codes = [_code(model, subgraph.Operators(i)) for i in range(subgraph.OperatorsLength())]
    once = [subgraph.Operators(i) for i, code in enumerate(codes) if code == CALL_ONCE]
    if len(once) > 1:
        raise DamagedFile("it calls CALL_ONCE more than once")
    if not once:
        return Variables(assigned=_assigned(subgraph, codes)), []
    index = attributes(once[0])["InitSubgraphIndex"]
    if not 0 < index < model.SubgraphsLength():
        raise DamagedFile(f"CALL_ONCE calls subgraph {index} of {model.SubgraphsLength()}")
    first = model.Subgraphs(index)
    if CALL_ONCE in (_code(model, first.Operators(i)) for i in range(first.OperatorsLength())):
        raise DamagedFile("the subgraph that CALL_ONCE calls has a CALL_ONCE of its own")
    tensors, found = TensorReader(model, first, data), Variables()
    problems: list[Problem] = []
    layers = _read_layers(model, first, tensors, found, problems)
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


def _code(model: Any, table: Any) -> str:
    """The operator's code, "" where it has none that is known: the layer itself says so later."""
    try:
        return operator_code(model, table.OpcodeIndex())
    except UnsupportedOp:
        return ""


def _assigned(subgraph: Any, codes: Sequence[str]) -> frozenset[Key]:
    """The variables that the subgraph assigns."""
    found = Variables()
    assigned = set()
    for index, code in enumerate(codes):
        table = subgraph.Operators(index)
        if code == VAR_HANDLE:
            found.handle(_only(table, "Outputs"), attributes(table))
        elif code == ASSIGN and table.InputsLength() == 2 and table.Inputs(0) in found.handles:
            assigned.add(found.handles[table.Inputs(0)])
    return frozenset(assigned)


def _only(table: Any, vector: str, count: int = 1) -> int:
    """The first of the operands, of which there must be `count`."""
    indices = _indices(table, vector)
    if len(indices) != count:
        raise DamagedFile(f"an operator on variables has {len(indices)} {vector.lower()}, not {count}")
    return indices[0]


@dataclass(frozen=True)
class _Layer:
    """An operator with its tensors, and what the states that it overwrites become."""

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    updates: Mapping[str, str] = field(default_factory=dict)


def _read_layers(
    model: Any, subgraph: Any, tensors: TensorReader, variables: Variables, problems: list[Problem]
) -> list[_Layer]:
    """Every layer that can be done; adds to `problems` that of every one that cannot."""
    tables = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
    if not tables:
        raise DamagedFile("it has no operators")
    if (operands := sum(t.InputsLength() + t.OutputsLength() for t in tables)) > limits.MAX_TOTAL_OPERANDS:
        raise DamagedFile(f"its operators name {operands} tensors, more than {limits.MAX_TOTAL_OPERANDS}")
    names = unique_names((_name(model, table, tensors) for table in tables), of="layer")
    layers: list[_Layer] = []
    given_out = frozenset(_indices(subgraph, "Outputs"))
    for table, name in zip(tables, names, strict=True):
        try:
            if (code := _code(model, table)) == _DENSIFY:
                found = _read_densify(table, name, tensors)
            elif code in CODES:
                found = _read_variable(code, table, name, tensors, variables, given_out)
            else:
                found = _read_layer(model, table, name, tensors)
        except DamagedFile as problem:
            raise DamagedFile(f"layer {name}: {problem}") from problem
        if isinstance(found, Problem):
            problems.append(found)
        else:
            layers += found
    return layers


def _read_densify(table: Any, name: str, tensors: TensorReader) -> tuple[_Layer, ...] | Problem:
    """Nothing to do: the reader of tensors makes sparse constants dense."""
    try:
        index = _only(table, "Inputs")
        if not tensors[index].is_constant:
            raise UnsupportedOp("a sparse tensor that is no constant", "export the model with dense tensors")
        tensors.rename(_only(table, "Outputs"), tensors[index])
    except UnsupportedOp as problem:
        return Problem(name, _DENSIFY, problem.reason, problem.remedy)
    return ()


def _read_variable(
    code: str, table: Any, name: str, tensors: TensorReader, variables: Variables, given_out: Collection[int]
) -> tuple[_Layer, ...] | Problem:
    """An operator on variables: names change, and no code runs but where a value is given out as it is."""
    try:
        if code == VAR_HANDLE:
            variables.handle(_only(table, "Outputs"), attributes(table))
        elif code == ASSIGN:
            handle, value = _only(table, "Inputs", 2), _indices(table, "Inputs")[-1]
            variables.assign(handle, tensors[value])
        elif code == READ:
            index = _only(table, "Outputs")
            output = tensors[index]
            plain = (n for i, n in enumerate(tensors.names) if i not in variables.handles)
            taken = {*plain, *(state.name for state in variables.states.values())}
            found = variables.read(_only(table, "Inputs"), output, taken)
            if index in given_out:
                copy = Copy(name=name, inputs=(found.name,), outputs=(output.name,))
                return (_Layer(copy, (found,), (output,)),)
            tensors.rename(index, found)
    except UnsupportedOp as problem:
        return Problem(name, code, problem.reason, problem.remedy)
    return ()


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
        is_uint8 = any(map(tensors.is_shifted, (*_indices(table, "Inputs"), *_indices(table, "Outputs"))))
        if is_uint8 and code not in uint8.EXACT | {"QUANTIZE"}:
            raise uint8.refusal(code)
        inside = tuple(tensors.quant(i) for i in _indices(table, "Intermediates"))
        op = reader(SourceOp(code, name, inputs, outputs, attributes(table), intermediates=inside))
        known = {t.name: t for t in (*inputs, *outputs) if t is not None}
        updates = updated_states(op, known)
        op, before = (_with_symmetric_weights if is_uint8 else _with_float_weights)(op, known)
        layer = _checked(op, code, known, updates)
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


def _with_symmetric_weights(op: Op, known: dict[str, Tensor]) -> tuple[Op, tuple[_Layer, ...]]:
    """An operator of a uint8 model as TFLite's uint8 kernel computes it; adds new tensors to `known`."""
    found = uint8.symmetric(op, known)
    known.update((t.name, t) for t in found.tensors)
    return found.op, tuple(
        _Layer(o, tuple(known[n] for n in o.inputs), tuple(known[n] for n in o.outputs)) for o in found.before
    )


def _checked(op: Op, code: str, tensors: Mapping[str, Tensor], updates: Mapping[str, str]) -> _Layer | Problem:
    """The layer, once the operator accepts its tensors and their shapes agree with what it computes."""
    layer = _Layer(op, tuple(tensors[n] for n in op.inputs), tuple(tensors[n] for n in op.outputs), updates)
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
            tensor = tensors.declared(index)
            if tensor.is_constant or tensor.is_state:
                kind = "a constant" if tensor.is_constant else "a variable"
                raise UnsupportedOp(f"it is {kind}", f"export the model without this {what}")
            found.append(tensor)
        except UnsupportedOp as problem:
            problems.append(Problem(tensors.names[index], f"network {what}", problem.reason, problem.remedy))
    return found


def _check_order(layers: Sequence[_Layer], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
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
