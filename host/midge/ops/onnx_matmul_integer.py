"""ONNX's MatMulInteger: products of plain 8-bit matrices as int32, computed in float32 where that is exact.

It is exact while no sum can reach 2^24, which is 257 products of the largest values.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import DType, Tensor
from midge.ops.cast import Cast
from midge.ops.formats import UnsupportedOp
from midge.ops.fully_connected import from_onnx_matmul
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.onnx_plain_integers import as_float
from midge.ops.sub import Sub

_EXACT = 1 << 24


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads a MatMulInteger whose zero points are one for each matrix."""
    matrices, largest = [], node.tensor(0).shape[-1]
    for place in (0, 1):
        x = node.tensor(place)
        zero = 0 if node.optional(place + 2) is None else node.constant(place + 2).reshape(-1)
        if x.dtype not in (DType.S8, DType.U8) or x.quant is not None or np.size(zero) != 1:
            raise UnsupportedOp(f"{x.dtype.value} with {np.size(zero)} zero points", "use QLinearMatMul, or floats")
        offset = int(np.ravel(zero)[0])
        low, high = x.dtype.limits if x.data is None else (int(x.data.min()), int(x.data.max()))
        largest *= max(abs(low - offset), abs(high - offset))
        matrices.append(_without_zero(node, x, offset, f"x{place}"))
    if largest > _EXACT:
        raise UnsupportedOp(f"sums up to {largest}, which float32 does not hold", "use QLinearMatMul, or floats")
    (y,) = from_onnx_matmul(replace(node, inputs=tuple(matrices), name=f"{node.name}/float"))
    return [node.add(Cast, [y], "", dtype=DType.S32)]


def _without_zero(node: OnnxNode, x: Tensor, offset: int, role: str) -> Tensor:
    """The integers that x stands for, as floats."""
    if x.data is not None:
        return node.new_constant(role, x.data.astype(np.float32) - offset)
    real = as_float(node, x, role)
    if not offset:
        return real
    return node.add(Sub, [real, node.new_constant(f"{role}_zero", np.array(offset))], f"{role}_moved", clamp=NO_CLAMP)


ONNX = {"MatMulInteger": from_onnx}
