"""Training: a Graph as a torch module, trained further as it will be deployed. Behind the extra `train`.

fine_tune(graph, data, Train(qat="int4"), settings)     from a graph to a trained graph; a loss may be passed in
GraphModule(graph)                                      the torch module, for a loop of your own; `to_graph()` back
train(module, training, watched, Train(), ...)          midge's loop over such a module
"""

from __future__ import annotations

from midge.train.require import require_torch

require_torch()

from midge.train.constants import Keep  # noqa: E402
from midge.train.dequantized import dequantized  # noqa: E402
from midge.train.loop import Epoch, History, Schedule, train  # noqa: E402
from midge.train.losses import Batch, Loss, task_loss  # noqa: E402
from midge.train.module import GraphModule  # noqa: E402
from midge.train.samples import Samples, samples_at, training_samples  # noqa: E402
from midge.train.tune import Trained, fine_tune  # noqa: E402

__all__ = [
    "Batch",
    "Epoch",
    "GraphModule",
    "History",
    "Keep",
    "Loss",
    "Samples",
    "Schedule",
    "Trained",
    "dequantized",
    "fine_tune",
    "samples_at",
    "task_loss",
    "train",
    "training_samples",
]
