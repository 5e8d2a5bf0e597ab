"""The bytes of a .tflite file from the operators as the format spells them (`SourceOp`) and their tensors.

The schema's own builders (packages `tflite` and `flatbuffers`) write every table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite
from flatbuffers import flexbuffers

from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.formats import SourceOp

_TYPES = {
    DType.F32: tflite.TensorType.FLOAT32,
    DType.S8: tflite.TensorType.INT8,
    DType.U8: tflite.TensorType.UINT8,
    DType.S16: tflite.TensorType.INT16,
    DType.S32: tflite.TensorType.INT32,
    DType.S64: tflite.TensorType.INT64,
    DType.BOOL: tflite.TensorType.BOOL,
}

# The options table of each operator; operators that are not here have none.
OPTIONS = {
    "ADD": "AddOptions",
    "ARG_MAX": "ArgMaxOptions",
    "ARG_MIN": "ArgMinOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "BROADCAST_TO": "BroadcastToOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "CUMSUM": "CumsumOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "DIV": "DivOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "GATHER": "GatherOptions",
    "GELU": "GeluOptions",
    "L2_NORMALIZATION": "L2NormOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "MUL": "MulOptions",
    "NON_MAX_SUPPRESSION_V4": "NonMaxSuppressionV4Options",
    "NON_MAX_SUPPRESSION_V5": "NonMaxSuppressionV5Options",
    "PACK": "PackOptions",
    "POW": "PowOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SHAPE": "ShapeOptions",
    "SOFTMAX": "SoftmaxOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
    "SQUEEZE": "SqueezeOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
    "SUM": "ReducerOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "UNPACK": "UnpackOptions",
}

# Kernels that are registered from a version above 1.
VERSIONS = {"BROADCAST_TO": 2}


def tflite_file(operators: Sequence[SourceOp], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bytes:
    """A model file of one subgraph with `operators` in order; tensors are known by their names."""
    tensors: dict[str, Tensor] = {}
    for op in operators:
        tensors.update((t.name, t) for t in (*op.inputs, *op.outputs) if t is not None)
    tensors.update((t.name, t) for t in (*inputs, *outputs))
    return _Writer().model(list(tensors.values()), operators, inputs, outputs)


class _Writer:
    """One flatbuffer, written from the leaves to the root as the format wants it."""

    def __init__(self) -> None:
        self._b = flatbuffers.Builder(1024)

    def model(
        self,
        tensors: Sequence[Tensor],
        operators: Sequence[SourceOp],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> bytes:
        """The whole file."""
        index = {t.name: i for i, t in enumerate(tensors)}
        codes = sorted({op.code for op in operators})
        buffers = [self._table("Buffer", {})] + [self._buffer(t) for t in tensors]
        subgraph = {
            "Tensors": self._offsets([self._tensor(t, i + 1) for i, t in enumerate(tensors)]),
            "Inputs": self._ints([index[t.name] for t in inputs]),
            "Outputs": self._ints([index[t.name] for t in outputs]),
            "Operators": self._offsets([self._operator(op, codes.index(op.code), index) for op in operators]),
        }
        parts = {
            "Version": 3,
            "OperatorCodes": self._offsets([self._code(code) for code in codes]),
            "Subgraphs": self._offsets([self._table("SubGraph", subgraph)]),
            "Buffers": self._offsets(buffers),
        }
        self._b.Finish(self._table("Model", parts), file_identifier=b"TFL3")
        return bytes(self._b.Output())

    def _buffer(self, tensor: Tensor) -> int:
        if tensor.data is None:
            return self._table("Buffer", {})
        raw = np.frombuffer(tensor.data.astype(tensor.dtype.numpy).tobytes(), np.uint8)
        # Kernels read the data in place: it starts on a multiple of 16 bytes, as converters write it.
        self._b.StartVector(1, len(raw), 16)
        self._b.head -= len(raw)
        self._b.Bytes[self._b.head : self._b.head + len(raw)] = raw.tobytes()
        return self._table("Buffer", {"Data": self._b.EndVector()})

    def _tensor(self, tensor: Tensor, buffer: int) -> int:
        fields = {
            "Name": self._b.CreateString(tensor.name),
            "Shape": self._ints(tensor.shape),
            "Type": _TYPES[tensor.dtype],
            "Buffer": buffer,
        }
        if tensor.quant is not None:
            fields["Quantization"] = self._quantization(tensor.quant)
        return self._table("Tensor", fields)

    def _quantization(self, quant: Quant) -> int:
        fields = {
            "Scale": self._b.CreateNumpyVector(np.array(quant.scales, np.float32)),
            "ZeroPoint": self._b.CreateNumpyVector(np.array(quant.zero_points, np.int64)),
            "QuantizedDimension": quant.axis or 0,
        }
        return self._table("QuantizationParameters", fields)

    def _operator(self, op: SourceOp, code: int, index: dict[str, int]) -> int:
        fields = {
            "OpcodeIndex": code,
            "Inputs": self._ints([-1 if t is None else index[t.name] for t in op.inputs]),
            "Outputs": self._ints([index[t.name] for t in op.outputs]),
        }
        if op.code in OPTIONS:
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, OPTIONS[op.code])
            fields["BuiltinOptions"] = self._table(OPTIONS[op.code], self._attributes(op))
        elif not hasattr(tflite.BuiltinOperator, op.code):
            fields["CustomOptions"] = self._b.CreateByteVector(bytes(flexbuffers.Dumps(dict(op.attributes))))
        return self._table("Operator", fields)

    def _attributes(self, op: SourceOp) -> dict[str, Any]:
        return {k: self._ints(v) if isinstance(v, (np.ndarray, list, tuple)) else v for k, v in op.attributes.items()}

    def _code(self, code: str) -> int:
        number = getattr(tflite.BuiltinOperator, code, tflite.BuiltinOperator.CUSTOM)
        fields = {"DeprecatedBuiltinCode": min(number, 127), "BuiltinCode": number, "Version": VERSIONS.get(code, 1)}
        if number == tflite.BuiltinOperator.CUSTOM:
            fields["CustomCode"] = self._b.CreateString(code)
        return self._table("OperatorCode", fields)

    def _ints(self, values: Iterable[int]) -> int:
        return int(self._b.CreateNumpyVector(np.array(list(values), np.int32)))

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._b.PrependUOffsetTRelative(offset)
        return int(self._b.EndVector())

    def _table(self, name: str, fields: dict[str, Any]) -> int:
        _function(f"{name}Start")(self._b)
        for field, value in fields.items():
            _function(f"{name}Add{field}")(self._b, value)
        return int(_function(f"{name}End")(self._b))


def _function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(tflite, name)
    return found
