"""The torch form of every operator against its definition, on drawn layers with their extremes."""

from __future__ import annotations

import numpy as np
import pytest

from differential.draw import Case, draw_cases, drawn_kinds, mismatches
from midge.ir.tensor import Array, DType
from midge.ops.families.binary import Binary

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "midge[train]"')

from midge.train import GraphModule  # noqa: E402
from midge.train.forms import forms  # noqa: E402

# What has no form: tables and constants that passes make of a deployed network, and what remembers.
WITHOUT = {"constant", "lookup", "svdf", "unidirectional_sequence_lstm"}
# Sums from here on are no exact float32 integers: no real network has biases like that.
EXACT = 1 << 24


def is_trained_through(case: Case) -> bool:
    """Not int16, whose sums have 64 bits, nor arithmetic all over int32, nor a bias of an extreme draw.

    Operators may be without a form.
    """
    tensors = case.graph.tensors.values()
    is_whole = isinstance(case.op, Binary) and all(t.dtype is DType.S32 for t in tensors)
    if case.op.kind not in forms() or is_whole or any(t.dtype is DType.S16 for t in tensors):
        return False
    return not any(t.dtype is DType.S32 and t.data is not None and np.abs(t.data).max() >= EXACT for t in tensors)


def values_off(case: Case, name: str, found: Array, true: Array) -> int:
    """How many values are further off than a step, or midge's tolerance for floats."""
    tensor = case.graph.tensors[name]
    if tensor.dtype is not DType.S8:
        return mismatches(found.astype(true.dtype), true)
    steps = np.rint(found.astype(np.float64) / tensor.q.scale) + tensor.q.zero_point
    return int(np.count_nonzero(~(np.abs(steps - true) <= 1)))


@pytest.mark.parametrize("kind", sorted(drawn_kinds() - WITHOUT))
def test_a_form_gives_what_the_operator_is_defined_to_give(kind: str) -> None:
    for case in (case for case in draw_cases(kind, 8) if is_trained_through(case)):
        module = GraphModule(case.graph).eval()
        with torch.no_grad():
            found = module.run(*module.given([np.stack([x, x]) for x in case.inputs]))
        for name, true in zip(case.graph.outputs, case.evaluate(), strict=True):
            for sample in found[name].numpy():
                assert values_off(case, name, sample, true) == 0, case.op


def test_the_usual_layers_have_forms() -> None:
    usual = {
        "conv2d",
        "depthwise_conv2d",
        "fully_connected",
        "transpose_conv",
        "batch_matmul",
        "mean",
        "softmax",
        "add",
    }
    assert usual | {"concatenation", "average_pool2d", "max_pool2d", "pad", "mul", "prelu", "hard_swish"} <= set(
        forms()
    )
