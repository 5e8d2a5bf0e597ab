"""Decodes a TFLite subgraph's tensors: shape, type, quantization, and the value of constants."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite.TensorType import TensorType

from midge.importers.flatbuffer import DamagedFile
from midge.importers.limits import MAX_CONSTANT_BYTES, MAX_ELEMENTS, MAX_SCALES
from midge.importers.tflite_signatures import names_with_signature, signature_names
from midge.importers.tflite_sparse import densify
from midge.importers.tflite_states import zeros
from midge.importers.tflite_uint8 import shifted
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor
from midge.ops.formats import UnsupportedOp

_TYPES = {
    TensorType.FLOAT32: DType.F32,
    TensorType.INT8: DType.S8,
    # Constants alone, as the int8 that they mean.
    TensorType.INT4: DType.S8,
    TensorType.UINT8: DType.U8,
    TensorType.INT16: DType.S16,
    TensorType.INT32: DType.S32,
    TensorType.INT64: DType.S64,
    TensorType.BOOL: DType.BOOL,
}
_TYPE_NAMES = {number: name.lower() for name, number in vars(TensorType).items() if not name.startswith("_")}
# In place of a scale of 0, which constants have whose values all stand for 0: so small that every factor with it is 0.
_NO_SCALE = float(np.finfo(np.float32).tiny)
# Enough for any name the converter makes; a hostile file may have one huge name for all its tensors.
_NAME_BYTES = 2048


class TensorReader:
    """The tensors of one subgraph by index, decoded when asked for and then kept.

    Raises DamagedFile for what contradicts itself and UnsupportedOp for what midge's tensors cannot say.
    """

    def __init__(self, model: Any, subgraph: Any, data: bytes) -> None:
        self._model, self._subgraph, self._data = model, subgraph, data
        self.raw_names = tuple(_text(subgraph.Tensors(i).Name()) for i in range(subgraph.TensorsLength()))
        self.names = names_with_signature(self.raw_names, signature_names(model, 0))
        self._tensors: dict[int, Tensor] = {}
        self._constant_bytes = 0
        self._scales = 0
        self._uint8: dict[int, Tensor] = {}

    def shift(self, indices: Collection[int], ends: Collection[int]) -> None:
        """Reads the uint8 tensors `indices` as int8; those of `ends`, the network's, get a name of their own."""
        for index in indices:
            self._uint8[index] = found = self[index]
            name = f"{found.name}/int8" if index in ends else found.name
            if name != found.name and name in self.names:
                raise DamagedFile(f"the tensors {found.name} and {name} cannot be told apart")
            self._tensors[index] = shifted(found, name)

    def declared(self, index: int) -> Tensor:
        """Tensor `index` as the file has it."""
        return self._uint8.get(index) or self[index]

    def is_shifted(self, index: int) -> bool:
        """Whether tensor `index` is uint8 in the file and read as int8."""
        return index in self._uint8

    def is_quantized_uint8(self, index: int) -> bool:
        """Whether tensor `index` can be read, is uint8 with a scale, and is no variable."""
        tensor = self._readable(index)
        return tensor is not None and tensor.dtype is DType.U8 and tensor.quant is not None and not tensor.is_state

    def is_float(self, index: int) -> bool:
        """Whether tensor `index` can be read, and is float32."""
        tensor = self._readable(index)
        return tensor is not None and tensor.dtype is DType.F32

    def _readable(self, index: int) -> Tensor | None:
        """Tensor `index`, or None where reading it again will say what is wrong."""
        try:
            return self.optional(index)
        except (DamagedFile, UnsupportedOp):
            return None

    def optional(self, index: int) -> Tensor | None:
        """Tensor `index`, or None for -1: an optional input that is not there."""
        return None if index == -1 else self[index]

    def __getitem__(self, index: int) -> Tensor:
        if index not in self._tensors:
            if not 0 <= index < len(self.names):
                raise DamagedFile(f"there is no tensor {index} (there are {len(self.names)})")
            self._tensors[index] = self._read(self._subgraph.Tensors(index), self.names[index])
        return self._tensors[index]

    def quant(self, index: int) -> Quant | None:
        """The quantization alone of tensor `index`, which no buffer and no shape goes with."""
        if not 0 <= index < len(self.names):
            raise DamagedFile(f"there is no tensor {index} (there are {len(self.names)})")
        table = self._subgraph.Tensors(index)
        dtype = _TYPES.get(table.Type(), DType.F32)
        quantized = dtype not in (DType.F32, DType.BOOL)
        return self._quant(table.Quantization(), self.names[index], (), dtype, None) if quantized else None

    def rename(self, index: int, tensor: Tensor) -> None:
        """From here on tensor `index` is another name of `tensor`."""
        self._tensors[index] = tensor

    def _read(self, table: Any, name: str) -> Tensor:
        number = table.Type()
        if number == TensorType.FLOAT16:
            return self._read_float16(table, name)
        if number not in _TYPES:
            raise _unsupported_type(name, number)
        dtype, shape = _TYPES[number], _shape(table, name)
        data = self._constant(table, name, shape, dtype)
        quantized = dtype not in (DType.F32, DType.BOOL)
        quant = self._quant(table.Quantization(), name, shape, dtype, data) if quantized else None
        if table.IsVariable():
            state = Tensor(name, shape, dtype, quant)
            return replace(state, initial=zeros(state))
        return Tensor(name, shape, dtype, quant, data)

    def _read_float16(self, table: Any, name: str) -> Tensor:
        """Weights stored in 16 bits, as the float32 that DEQUANTIZE makes of them."""
        shape = _shape(table, name)
        content = self._dense_content(table, name, shape, 2)
        if not len(content):
            raise UnsupportedOp("float16 activations", "export as float32")
        if len(content) != prod(shape) * 2:
            raise DamagedFile(f"the constant {name} has {len(content)} bytes for float16{list(shape)}")
        self._count_constant(2 * len(content))
        with np.errstate(invalid="ignore"):
            values = content.view(np.dtype("<f2")).astype(np.float32).reshape(shape)
        if not np.isfinite(values).all():
            raise DamagedFile(f"the constant {name} has values that are not finite")
        return Tensor(name, shape, DType.F32, None, values)

    def _count_constant(self, size: int) -> None:
        self._constant_bytes += size
        if self._constant_bytes > MAX_CONSTANT_BYTES:
            raise DamagedFile(f"the constants have more than {MAX_CONSTANT_BYTES} bytes")

    def _quant(self, table: Any, name: str, shape: Shape, dtype: DType, data: Array | None) -> Quant | None:
        if table is None or table.ScaleLength() == 0:
            return None
        if table.DetailsType() != 0:
            raise UnsupportedOp(f"the tensor {name} has a quantization of its own kind", "export with plain scales")
        scales = tuple(float(s) for s in table.ScaleAsNumpy())
        zero_points = tuple(int(z) for z in table.ZeroPointAsNumpy()) if table.ZeroPointLength() else ()
        self._scales += len(scales)
        if self._scales > 16 * MAX_SCALES:
            raise DamagedFile("the tensors have more scales than any network")
        if scales == (0.0,) and data is not None and zero_points and (data == zero_points[0]).all():
            scales = (_NO_SCALE,)
        _check_quant(name, scales, zero_points, dtype)
        if len(scales) == 1:
            return Quant(scales, zero_points)
        # A vector has one axis only, whatever the file says: old converters give a bias the axis of its weights.
        axis = 0 if len(shape) == 1 else table.QuantizedDimension()
        if not 0 <= axis < len(shape) or shape[axis] != len(scales):
            raise DamagedFile(f"the tensor {name} of shape {list(shape)} has {len(scales)} scales along axis {axis}")
        return Quant(scales, zero_points, axis)

    def _constant(self, table: Any, name: str, shape: Shape, dtype: DType) -> Array | None:
        content = self._dense_content(table, name, shape, dtype.bytes)
        if table.Type() == TensorType.INT4:
            content = _unpacked(content, name, prod(shape))
        if len(content) == 0:
            return None
        if len(content) != prod(shape) * dtype.bytes:
            raise DamagedFile(
                f"the constant {name} has {len(content)} bytes, {prod(shape) * dtype.bytes} would be "
                f"{dtype.value}{list(shape)}"
            )
        self._count_constant(len(content))
        values = content != 0 if dtype is DType.BOOL else content.view(dtype.numpy.newbyteorder("<"))
        if dtype is DType.F32 and not np.isfinite(values).all():
            raise DamagedFile(f"the constant {name} has values that are not finite")
        return np.asarray(values, dtype.numpy).reshape(shape)

    def _dense_content(self, table: Any, name: str, shape: Shape, element_bytes: int) -> NDArray[np.uint8]:
        """The bytes of a constant, whether the file holds it sparse or not; empty where there is none."""
        content, sparsity = self._content(table.Buffer(), name), table.Sparsity()
        if sparsity is None:
            return content
        if table.Type() == TensorType.INT4:
            raise UnsupportedOp(f"the tensor {name} is sparse, of four bits", "export the model with dense tensors")
        if not len(content):
            raise UnsupportedOp(f"the tensor {name} is sparse and no constant", "export the model with dense tensors")
        return densify(content, sparsity, name, shape, element_bytes)

    def _content(self, index: int, name: str) -> NDArray[np.uint8]:
        """The bytes of buffer `index`: inside the flatbuffer, or after it in files beyond 2 GB."""
        if index >= max(self._model.BuffersLength(), 1):
            raise DamagedFile(f"the tensor {name} wants buffer {index} of {self._model.BuffersLength()}")
        buffer = self._model.Buffers(index) if self._model.BuffersLength() else None
        if buffer is None:
            return np.zeros(0, np.uint8)
        offset, size = buffer.Offset(), buffer.Size()
        if offset > 1:
            if offset + size > len(self._data):
                raise DamagedFile(f"the buffer of {name} reaches past the end of the file")
            return np.frombuffer(self._data, np.uint8, size, offset)
        return np.asarray(buffer.DataAsNumpy(), np.uint8) if buffer.DataLength() else np.zeros(0, np.uint8)


def _shape(table: Any, name: str) -> Shape:
    shape = tuple(int(d) for d in table.ShapeAsNumpy()) if table.ShapeLength() else ()
    if any(d < 1 for d in shape):
        raise DamagedFile(f"the tensor {name} has the shape {list(shape)}; every dimension must be at least 1")
    if prod(shape) > MAX_ELEMENTS:
        raise DamagedFile(f"the tensor {name} of shape {list(shape)} has more than {MAX_ELEMENTS} elements")
    return shape


def _check_quant(name: str, scales: tuple[float, ...], zero_points: tuple[int, ...], dtype: DType) -> None:
    low, high = dtype.limits
    if len(scales) != len(zero_points):
        raise DamagedFile(f"the tensor {name} has {len(scales)} scales and {len(zero_points)} zero points")
    if 0.0 in scales:
        raise UnsupportedOp(
            f"the tensor {name} has a scale of 0: it was always zero in calibration",
            "convert again with calibration data that is not all zero there",
        )
    if bad := [s for s in scales if not (isfinite(s) and s > 0)]:
        raise DamagedFile(f"the tensor {name} has a scale of {bad[0]}; a scale is positive and finite")
    if wrong := [z for z in zero_points if not low <= z <= high]:
        raise DamagedFile(f"the tensor {name} has the zero point {wrong[0]}, outside {low}..{high}")


def _unsupported_type(name: str, number: int) -> UnsupportedOp:
    kind = _TYPE_NAMES.get(number)
    if kind is None:
        raise DamagedFile(f"the tensor {name} has the unknown type {number}")
    return UnsupportedOp(f"a tensor of type {kind}", "export with float32 or int8 tensors")


def _text(raw: bytes | None) -> str:
    return (raw or b"")[:_NAME_BYTES].decode("utf-8", errors="replace")


def _unpacked(content: NDArray[np.uint8], name: str, count: int) -> NDArray[np.uint8]:
    """Constants of four bits, the first in the low ones, as the bytes of int8."""
    if not len(content):
        raise UnsupportedOp(f"the tensor {name} has activations of four bits", "export with int8 activations")
    if len(content) != (count + 1) // 2:
        raise DamagedFile(f"the constant {name} has {len(content)} bytes for {count} values of four bits")
    fields = np.stack([content & 15, content >> 4], axis=1).reshape(-1)[:count]
    return np.asarray((fields ^ 8) - np.uint8(8), np.uint8)
