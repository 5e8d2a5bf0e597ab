"""Drawn ONNX networks compute what ONNX's reference does, as they are and with their transposes carried away.

MIDGE_DRAWN_ONNX sets how many are drawn.
"""

from __future__ import annotations

import os

import numpy as np
from onnx.reference import ReferenceEvaluator

from midge.importers.onnx import import_onnx
from midge.interpreter import interpret
from midge.ir.verify import verify
from midge.passes import CANONICALIZE, run_passes
from property.drawn_onnx import drawn_onnx

COUNT = int(os.environ.get("MIDGE_DRAWN_ONNX", "150"))


def test_drawn_networks_equal_the_reference_before_and_after_the_passes() -> None:
    before = after = 0
    for seed in range(COUNT):
        model = drawn_onnx(seed, 4 + seed % 20)
        graph = import_onnx(model.SerializeToString(), f"drawn{seed}")
        canonical = run_passes(graph, CANONICALIZE)
        x = np.random.default_rng(seed).normal(0, 1, graph.input_tensors[0].shape).astype(np.float32)
        expected = ReferenceEvaluator(model).run(None, {"x": x})
        for form in (verify(graph), canonical):
            for found, wanted in zip(interpret(form, [x]), expected, strict=True):
                limit = 1e-4 * (np.abs(wanted).max() + 1)
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=limit, err_msg=f"seed {seed}")
        before += sum(op.kind == "transpose" for op in graph.ops)
        after += sum(op.kind == "transpose" for op in canonical.ops)
    # Drawn transposes are real ones; those around convolutions are the many.
    assert after < before / 2
    print(f"{before} transposes before, {after} after")
