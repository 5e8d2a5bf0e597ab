"""When outputs count as equal."""

from __future__ import annotations

import numpy as np

from midge.ir.graph import NO_CLAMP, Graph
from midge.ir.tensor import DType, Quant, Tensor
from midge.measure.agreement import agreement, has_dynamic_layers
from midge.ops.fully_connected import FullyConnected

_WEIGHTS = np.ones((2, 4))


def _graph(weights: Tensor) -> Graph:
    layer = FullyConnected(name="layer", inputs=("x", "w"), outputs=("y",), clamp=NO_CLAMP)
    tensors = {"x": Tensor("x", (1, 4), DType.F32), "w": weights, "y": Tensor("y", (1, 2), DType.F32)}
    return Graph("model", ("x",), ("y",), tensors, (layer,))


def test_int8_weights_under_floats_make_a_layer_dynamic() -> None:
    quant = Quant.per_tensor(0.5, 0)
    assert has_dynamic_layers(_graph(Tensor("w", (2, 4), DType.S8, quant, _WEIGHTS.astype(np.int8))))
    assert not has_dynamic_layers(_graph(Tensor("w", (2, 4), DType.F32, None, _WEIGHTS.astype(np.float32))))


def test_dynamic_ranges_agree_within_a_hundredth_of_the_largest_output() -> None:
    reference = [np.array([1.0, -10.0], np.float32)]
    near, far = [np.array([1.09, -10.0], np.float32)], [np.array([1.0, -10.11], np.float32)]
    assert agreement(near, reference).mismatches == 1
    assert agreement(near, reference, dynamic=True).mismatches == 0
    assert agreement(far, reference, dynamic=True).mismatches == 1
