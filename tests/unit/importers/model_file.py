"""Writes small TensorFlow Lite files for tests, sound ones and ones with a chosen fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite


@dataclass(frozen=True)
class SparsitySpec:
    """How a constant is stored sparse: each level is a size, or segments and indices; `kind`: int32, uint16, uint8."""

    order: tuple[int, ...]
    levels: tuple[int | tuple[tuple[int, ...], tuple[int, ...]], ...]
    blocks: tuple[int, ...] = ()
    kind: int = 1


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as the file spells it."""

    name: str
    shape: tuple[int, ...]
    type: int = tflite.TensorType.FLOAT32
    data: bytes | None = None
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    variable: bool = False
    sparsity: SparsitySpec | None = None


@dataclass(frozen=True)
class OpSpec:
    """An operator: `code` is both its builtin code and, up to 127, the deprecated one."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int = 0
    options: tuple[tuple[str, float | str], ...] = ()
    custom: str | None = None
    old_code: int | None = None
    new_code: int | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A model of one subgraph, and of the subgraphs of `others` behind it."""

    tensors: tuple[TensorSpec, ...]
    ops: tuple[OpSpec, ...]
    inputs: tuple[int, ...] = (0,)
    outputs: tuple[int, ...] = field(default=(1,))
    version: int = 3
    others: tuple[ModelSpec, ...] = ()


def _vector(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _ints(b: flatbuffers.Builder, values: Sequence[int]) -> int:
    return int(b.CreateNumpyVector(np.array(values, np.int32)))


def _index_vector(b: flatbuffers.Builder, kind: int, values: tuple[int, ...]) -> int:
    name = {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"}[kind]
    numbers = b.CreateNumpyVector(np.array(values, {1: np.int32, 2: np.uint16, 3: np.uint8}[kind]))
    getattr(tflite, f"{name}Start")(b)
    getattr(tflite, f"{name}AddValues")(b, numbers)
    return int(getattr(tflite, f"{name}End")(b))


def _sparsity(b: flatbuffers.Builder, spec: SparsitySpec) -> int:
    levels = []
    for level in spec.levels:
        vectors = () if isinstance(level, int) else tuple(_index_vector(b, spec.kind, values) for values in level)
        tflite.DimensionMetadataStart(b)
        if isinstance(level, int):
            tflite.DimensionMetadataAddDenseSize(b, level)
        else:
            tflite.DimensionMetadataAddFormat(b, tflite.DimensionType.SPARSE_CSR)
            tflite.DimensionMetadataAddArraySegmentsType(b, spec.kind)
            tflite.DimensionMetadataAddArraySegments(b, vectors[0])
            tflite.DimensionMetadataAddArrayIndicesType(b, spec.kind)
            tflite.DimensionMetadataAddArrayIndices(b, vectors[1])
        levels.append(int(tflite.DimensionMetadataEnd(b)))
    metadata, order, blocks = _vector(b, levels), _ints(b, spec.order), _ints(b, spec.blocks)
    tflite.SparsityParametersStart(b)
    tflite.SparsityParametersAddTraversalOrder(b, order)
    tflite.SparsityParametersAddBlockMap(b, blocks)
    tflite.SparsityParametersAddDimMetadata(b, metadata)
    return int(tflite.SparsityParametersEnd(b))


def _tensor(b: flatbuffers.Builder, spec: TensorSpec, buffer: int) -> int:
    name, shape = b.CreateString(spec.name), _ints(b, spec.shape)
    quant = 0
    if spec.scales:
        scales = b.CreateNumpyVector(np.array(spec.scales, np.float32))
        zero_points = b.CreateNumpyVector(np.array(spec.zero_points, np.int64))
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zero_points)
        tflite.QuantizationParametersAddQuantizedDimension(b, spec.axis)
        quant = tflite.QuantizationParametersEnd(b)
    sparsity = 0 if spec.sparsity is None else _sparsity(b, spec.sparsity)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, spec.type)
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    tflite.TensorAddIsVariable(b, spec.variable)
    if quant:
        tflite.TensorAddQuantization(b, quant)
    if sparsity:
        tflite.TensorAddSparsity(b, sparsity)
    return int(tflite.TensorEnd(b))


def _operator(b: flatbuffers.Builder, spec: OpSpec, index: int) -> int:
    options = 0
    if spec.options_type:
        kinds = {number: name for name, number in vars(tflite.BuiltinOptions).items() if not name.startswith("_")}
        kind = kinds[spec.options_type]
        texts = {name: b.CreateString(value) for name, value in spec.options if isinstance(value, str)}
        getattr(tflite, f"{kind}Start")(b)
        for name, value in spec.options:
            getattr(tflite, f"{kind}Add{name}")(b, texts.get(name, value))
        options = getattr(tflite, f"{kind}End")(b)
    inputs, outputs = _ints(b, spec.inputs), _ints(b, spec.outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, index)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options:
        tflite.OperatorAddBuiltinOptionsType(b, spec.options_type)
        tflite.OperatorAddBuiltinOptions(b, options)
    return int(tflite.OperatorEnd(b))


def _code(b: flatbuffers.Builder, spec: OpSpec) -> int:
    custom = b.CreateString(spec.custom) if spec.custom is not None else 0
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(spec.code, 127) if spec.old_code is None else spec.old_code)
    tflite.OperatorCodeAddBuiltinCode(b, spec.code if spec.new_code is None else spec.new_code)
    if custom:
        tflite.OperatorCodeAddCustomCode(b, custom)
    return int(tflite.OperatorCodeEnd(b))


def _subgraph(b: flatbuffers.Builder, spec: ModelSpec, numbers: Iterator[int], indices: Iterator[int]) -> int:
    tensors = _vector(b, [_tensor(b, t, 0 if t.data is None else next(numbers)) for t in spec.tensors])
    ops = _vector(b, [_operator(b, op, next(indices)) for op in spec.ops])
    ends = _ints(b, spec.inputs), _ints(b, spec.outputs)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensors)
    tflite.SubGraphAddInputs(b, ends[0])
    tflite.SubGraphAddOutputs(b, ends[1])
    tflite.SubGraphAddOperators(b, ops)
    return int(tflite.SubGraphEnd(b))


def model_file(spec: ModelSpec) -> bytes:
    """The file's content. Each operator has a code of its own, each constant a buffer."""
    b = flatbuffers.Builder(1024)
    graphs = (spec, *spec.others)
    contents = [b"", *(t.data for graph in graphs for t in graph.tensors if t.data is not None)]
    buffers = []
    for content in contents:
        data = b.CreateByteVector(content) if content else 0
        tflite.BufferStart(b)
        if data:
            tflite.BufferAddData(b, data)
        buffers.append(tflite.BufferEnd(b))
    numbers = iter(range(1, len(contents)))
    codes = [_code(b, op) for graph in graphs for op in graph.ops]
    indices = iter(range(len(codes)))
    subgraphs = _vector(b, [_subgraph(b, graph, numbers, indices) for graph in graphs])
    code_vector, buffer_vector = _vector(b, codes), _vector(b, buffers)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, spec.version)
    tflite.ModelAddOperatorCodes(b, code_vector)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddBuffers(b, buffer_vector)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())
