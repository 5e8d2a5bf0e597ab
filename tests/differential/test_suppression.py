"""ONNX's NonMaxSuppression as C: equal scores, boxes without area, centered ones, several batches and classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from differential.draw_tensors import Case
from differential.drawn_boxes import drawn_boxes
from differential.programs import differences, program_of, run_on_host, write_case, write_main
from midge.ir.graph import Graph
from midge.ir.tensor import DType, Tensor
from midge.ir.verify import verify
from midge.kernels.select import variants
from midge.numerics.suppression import Suppression
from midge.ops.non_max_suppression import NonMaxSuppression

_CASES = 12


def _drawn(number: int, rng: np.random.Generator) -> Case:
    batches, classes, count = (int(rng.integers(1, high)) for high in (3, 4, 20))
    how = Suppression(float(np.float32(rng.uniform(0, 0.9))), float(np.float32(rng.choice([-1e30, 0.0, 0.4]))))
    most, centered = int(rng.integers(1, 8)), bool(rng.integers(0, 2))
    op = NonMaxSuppression(
        name="layer", inputs=("boxes", "scores"), outputs=("y",), most=most, how=how, centered=centered
    )
    inputs = [Tensor("boxes", (batches, count, 4), DType.F32), Tensor("scores", (batches, classes, count), DType.F32)]
    (shape,) = op.infer(inputs)
    tensors = {t.name: t for t in (*inputs, Tensor("y", shape, DType.S32))}
    graph = verify(Graph(f"case{number}", ("boxes", "scores"), ("y",), tensors, (op,)))
    boxes = np.stack([drawn_boxes(count, rng) for _ in range(batches)])
    boxes[:, rng.random(count) < 0.2, 2:] *= np.float32(0)
    scores = np.round(rng.random((batches, classes, count)), int(rng.integers(1, 4))).astype(np.float32)
    return Case(graph, (boxes, scores))


def test_rows_of_chosen_boxes_are_the_interpreters(tmp_path: Path) -> None:
    (variant,) = variants("suppression")
    rng = np.random.default_rng(5)
    cases = [_drawn(i, rng) for i in range(_CASES)]
    rendered = [write_case(case, program_of(case, variant), tmp_path) for case in cases]
    write_main(rendered, tmp_path)
    assert differences(rendered, run_on_host(rendered, tmp_path)) == {}


def test_rows_that_are_not_needed_are_minus_one() -> None:
    case = _drawn(0, np.random.default_rng(1))
    (rows,) = case.evaluate()
    count = int((rows[:, 0] >= 0).sum())
    assert 0 < count < len(rows)
    assert (rows[:count] >= 0).all()
    assert (rows[count:] == -1).all()
