"""FULLY_CONNECTED with one scale per unit, which midge's own quantization may choose."""

from __future__ import annotations

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import DType, Quant, Tensor
from midge.numerics.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from midge.ops.fully_connected import FullyConnected


def test_each_unit_has_its_own_factor() -> None:
    rng = np.random.default_rng(1)
    scales = (0.01, 0.002, 0.05)
    x = Tensor("x", (2, 16), DType.S8, Quant.per_tensor(0.1, 4))
    w = Tensor("w", (3, 16), DType.S8, Quant(scales, (0, 0, 0), 0), rng.integers(-127, 128, (3, 16)).astype(np.int8))
    y = Tensor("y", (2, 3), DType.S8, Quant.per_tensor(0.25, -3))
    value = rng.integers(-128, 128, x.shape).astype(np.int8)
    op = FullyConnected(name="", inputs=(), outputs=(), clamp=NO_CLAMP)
    assert op.check([x, w], [y]) == ""
    (found,) = op.evaluate([x, w], [y], [value, w.data])

    for row in range(2):
        for unit, scale in enumerate(scales):
            total = sum(int(w.data[unit, d]) * (int(value[row, d]) - 4) for d in range(16))
            scaled = int(multiply_by_quantized_multiplier(np.array(total), *quantize_multiplier(0.1 * scale / 0.25)))
            assert found[row, unit] == min(max(scaled - 3, -128), 127)
    assert len(np.unique(found)) > 3
