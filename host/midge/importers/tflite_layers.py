"""Reads the operators of one TFLite subgraph as layers: what midge computes, the tensors and states that go with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from midge.importers import limits
from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import layer_name, unique_names
from midge.importers.problems import Problem, unknown_operator, wrong_types
from midge.importers.tflite_operators import CUSTOM, SPELLING, attributes, operator_code
from midge.importers.tflite_states import ASSIGN, CODES, READ, VAR_HANDLE, Variables, updated_states
from midge.importers.tflite_tensors import TensorReader
from midge.importers.tflite_uint8 import refusal
from midge.ir.graph import Op
from midge.ir.tensor import DType, Tensor
from midge.ops import readers
from midge.ops.copy import Copy
from midge.ops.dequantize import Dequantize
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.registry import uint8_forms
from midge.ops.uint8 import as_int8

DENSIFY = "DENSIFY"
# What an operator's own code may raise on tensors and options that cannot be: the file is at fault.
_NONSENSE = (ValueError, IndexError, KeyError, TypeError, ArithmeticError)


@dataclass(frozen=True)
class Layer:
    """An operator with its tensors, and what the states that it overwrites become."""

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    updates: Mapping[str, str] = field(default_factory=dict)


def operands(table: Any, vector: str) -> tuple[int, ...]:
    """A vector of tensor indices, empty when it is absent."""
    if getattr(table, f"{vector}Length")() == 0:
        return ()
    return tuple(int(i) for i in getattr(table, f"{vector}AsNumpy")())


def only(table: Any, vector: str, count: int = 1) -> int:
    """The first of the operands, of which there must be `count`."""
    indices = operands(table, vector)
    if len(indices) != count:
        raise DamagedFile(f"an operator on variables has {len(indices)} {vector.lower()}, not {count}")
    return indices[0]


def code_of(model: Any, table: Any) -> str:
    """The operator's code, "" where it has none that is known: the layer itself says so later."""
    try:
        return operator_code(model, table.OpcodeIndex())
    except UnsupportedOp:
        return ""


def read_layers(
    model: Any, subgraph: Any, tensors: TensorReader, variables: Variables, problems: list[Problem]
) -> list[Layer]:
    """Every layer that can be done; adds to `problems` that of every one that cannot."""
    tables = [subgraph.Operators(i) for i in range(subgraph.OperatorsLength())]
    if not tables:
        raise DamagedFile("it has no operators")
    if (count := sum(t.InputsLength() + t.OutputsLength() for t in tables)) > limits.MAX_TOTAL_OPERANDS:
        raise DamagedFile(f"its operators name {count} tensors, more than {limits.MAX_TOTAL_OPERANDS}")
    names = unique_names((_name(model, table, tensors) for table in tables), of="layer")
    layers: list[Layer] = []
    given_out = frozenset(operands(subgraph, "Outputs"))
    for table, name in zip(tables, names, strict=True):
        try:
            if (code := code_of(model, table)) == DENSIFY:
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


def _read_densify(table: Any, name: str, tensors: TensorReader) -> tuple[Layer, ...] | Problem:
    """Nothing to do: the reader of tensors makes sparse constants dense."""
    try:
        index = only(table, "Inputs")
        if not tensors[index].is_constant:
            raise UnsupportedOp("a sparse tensor that is no constant", "export the model with dense tensors")
        tensors.rename(only(table, "Outputs"), tensors[index])
    except UnsupportedOp as problem:
        return Problem(name, DENSIFY, problem.reason, problem.remedy)
    return ()


def _read_variable(
    code: str, table: Any, name: str, tensors: TensorReader, variables: Variables, given_out: Collection[int]
) -> tuple[Layer, ...] | Problem:
    """An operator on variables: names change, and no code runs but where a value is given out as it is."""
    try:
        if code == VAR_HANDLE:
            variables.handle(only(table, "Outputs"), attributes(table))
        elif code == ASSIGN:
            handle, value = only(table, "Inputs", 2), operands(table, "Inputs")[-1]
            variables.assign(handle, tensors[value])
        elif code == READ:
            index = only(table, "Outputs")
            output = tensors[index]
            plain = (n for i, n in enumerate(tensors.names) if i not in variables.handles)
            taken = {*plain, *(state.name for state in variables.states.values())}
            found = variables.read(only(table, "Inputs"), output, taken)
            if index in given_out:
                copy = Copy(name=name, inputs=(found.name,), outputs=(output.name,))
                return (Layer(copy, (found,), (output,)),)
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


def _read_layer(model: Any, table: Any, name: str, tensors: TensorReader) -> tuple[Layer, ...] | Problem:
    code = CUSTOM
    try:
        code = operator_code(model, table.OpcodeIndex())
        if (reader := readers(SPELLING).get(code)) is None:
            return unknown_operator(name, code)
        inputs = tuple(tensors.optional(i) for i in operands(table, "Inputs"))
        outputs = tuple(tensors[i] for i in operands(table, "Outputs"))
        is_uint8 = any(map(tensors.is_shifted, (*operands(table, "Inputs"), *operands(table, "Outputs"))))
        if is_uint8 and code not in {"QUANTIZE", *uint8_forms()}:
            raise refusal(code)
        inside = tuple(tensors.quant(i) for i in operands(table, "Intermediates"))
        op = reader(SourceOp(code, name, inputs, outputs, attributes(table), intermediates=inside))
        known = {t.name: t for t in (*inputs, *outputs) if t is not None}
        updates = updated_states(op, known)
        op, before = _from_uint8(op, code, known) if is_uint8 else _with_float_weights(op, known)
        _give_shapes(op, known, table, tensors)
        layer = _checked(op, code, known, updates)
        return layer if isinstance(layer, Problem) else (*before, layer)
    except UnsupportedOp as problem:
        return Problem(name, code, problem.reason, problem.remedy)
    except DamagedFile:
        raise
    except _NONSENSE as problem:
        raise DamagedFile(f"this {code} cannot be: {problem}") from problem


def _give_shapes(op: Op, known: dict[str, Tensor], table: Any, tensors: TensorReader) -> None:
    """Outputs that have no shape in the file, as those of operators that decide by values, get what they may need."""
    if any(known[name].shape for name in op.outputs):
        return
    for index, name, shape in zip(
        operands(table, "Outputs"), op.outputs, op.infer([known[n] for n in op.inputs]), strict=True
    ):
        known[name] = replace(known[name], shape=shape)
        tensors.rename(index, known[name])


def _with_float_weights(op: Op, known: dict[str, Tensor]) -> tuple[Op, tuple[Layer, ...]]:
    """A dynamic-range (hybrid) operator without integers of its own as a float one that reads its weights dequantized.

    Adds the float weights to `known`; other operators come back as they are.
    """
    reads = [known[name] for name in op.inputs]
    if not op.weight_axis or reads[0].dtype is not DType.F32 or not op.check(reads, [known[n] for n in op.outputs]):
        return op, ()
    layers: list[Layer] = []
    for index in op.weight_axis:
        weights = known[op.inputs[index]]
        if weights.dtype is not DType.S8 or not weights.is_constant or weights.quant is None:
            continue
        made = Tensor(f"{weights.name}/{op.name}/float", weights.shape, DType.F32)
        known[made.name] = made
        name = f"{op.name}/weights"
        layers.append(Layer(Dequantize(name=name, inputs=(weights.name,), outputs=(made.name,)), (weights,), (made,)))
        inputs = (*op.inputs[:index], made.name, *op.inputs[index + 1 :])
        op = replace(op, inputs=inputs)
    return op, tuple(layers)


def _from_uint8(op: Op, code: str, known: dict[str, Tensor]) -> tuple[Op, tuple[Layer, ...]]:
    """An operator of a uint8 model as TFLite's uint8 kernel computes it; adds new tensors to `known`."""
    found = uint8_forms().get(code, as_int8)(op, known)
    known.update((t.name, t) for t in found.tensors)
    return found.op, tuple(
        Layer(o, tuple(known[n] for n in o.inputs), tuple(known[n] for n in o.outputs)) for o in found.before
    )


def _checked(op: Op, code: str, tensors: Mapping[str, Tensor], updates: Mapping[str, str]) -> Layer | Problem:
    """The layer, once the operator accepts its tensors and their shapes agree with what it computes."""
    layer = Layer(op, tuple(tensors[n] for n in op.inputs), tuple(tensors[n] for n in op.outputs), updates)
    if reason := op.check(layer.inputs, layer.outputs):
        return wrong_types(op.name, code, reason, layer.inputs, layer.outputs)
    expected, found = op.infer(layer.inputs), tuple(t.shape for t in layer.outputs)
    if expected != found:
        raise DamagedFile(f"this {code} gives the shapes {expected}, the file says {found}")
    if reason := limits.too_large(op, layer.inputs):
        return Problem(op.name, code, reason, "use a smaller input or smaller strides and dilations")
    return layer
