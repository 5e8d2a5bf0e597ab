"""The parts of TFLite's schema that midge reads, by slot number, with the most entries that make sense.

Source: tensorflow/lite/schema/schema.fbs; slots are counted in order of declaration, a union takes two.
"""

from __future__ import annotations

from midge.importers.flatbuffer import Child, Children, Layout, Numbers, Scalar
from midge.importers.limits import (
    MAX_BUFFERS,
    MAX_DENSIFIED_BYTES,
    MAX_FILE_BYTES,
    MAX_OPERANDS,
    MAX_OPS,
    MAX_RANK,
    MAX_SCALES,
    MAX_TENSORS,
)

_TEXT = Numbers(1, 1 << 16)
_INDICES = Numbers(4, MAX_OPERANDS)

_QUANTIZATION = Layout(
    "quantization", {2: Numbers(4, MAX_SCALES), 3: Numbers(8, MAX_SCALES), 4: Scalar(1), 6: Scalar(4)}
)
# Its numbers have one, two or four bytes, as the field before says: who reads them looks at their end.
_SPARSE_INDICES = Layout("sparse indices", {0: Numbers(1, MAX_DENSIFIED_BYTES)})
_DIMENSION = Layout(
    "sparse dimension",
    {0: Scalar(1), 1: Scalar(4), 2: Scalar(1), 3: Child(_SPARSE_INDICES), 4: Scalar(1), 5: Child(_SPARSE_INDICES)},
)
_SPARSITY = Layout(
    "sparsity", {0: Numbers(4, 2 * MAX_RANK), 1: Numbers(4, MAX_RANK), 2: Children(_DIMENSION, 2 * MAX_RANK)}
)
_TENSOR = Layout(
    "tensor",
    {
        0: Numbers(4, MAX_RANK),
        1: Scalar(1),
        2: Scalar(4),
        3: _TEXT,
        4: Child(_QUANTIZATION),
        5: Scalar(1),
        6: Child(_SPARSITY),
        7: Numbers(4, MAX_RANK),
    },
)
_OPTIONS = Layout("operator's options", {})
_CUSTOM_OPTIONS = Numbers(1, MAX_FILE_BYTES)
_OPERATOR = Layout(
    "operator",
    {0: Scalar(4), 1: _INDICES, 2: _INDICES, 3: Scalar(1), 4: Child(_OPTIONS), 5: _CUSTOM_OPTIONS, 8: _INDICES},
)
_OPERATOR_CODE = Layout("operator code", {0: Scalar(1), 1: _TEXT, 2: Scalar(4), 3: Scalar(4)})
_SUBGRAPH = Layout(
    "subgraph",
    {0: Children(_TENSOR, MAX_TENSORS), 1: _INDICES, 2: _INDICES, 3: Children(_OPERATOR, MAX_OPS), 4: _TEXT},
)
_BUFFER = Layout("buffer", {0: Numbers(1, MAX_FILE_BYTES), 1: Scalar(8), 2: Scalar(8)})

_TENSOR_MAP = Layout("signature's tensor", {0: _TEXT, 1: Scalar(4)})
_SIGNATURE = Layout(
    "signature",
    {0: Children(_TENSOR_MAP, MAX_OPERANDS), 1: Children(_TENSOR_MAP, MAX_OPERANDS), 2: _TEXT, 4: Scalar(4)},
)

MODEL = Layout(
    "model",
    {
        0: Scalar(4),
        1: Children(_OPERATOR_CODE, MAX_OPS),
        2: Children(_SUBGRAPH, MAX_OPS),
        4: Children(_BUFFER, MAX_BUFFERS),
        7: Children(_SIGNATURE, MAX_OPS),
    },
)
