"""What training makes small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from midge.ops.logistic import Logistic
from midge.train.module import GraphModule
from midge.train.samples import Samples


@dataclass(frozen=True, eq=False)
class Batch:
    """Some samples and what the network made of them.

    `values` are its activations by name, `places` the samples' places among all that are trained on, or watched when
    `watched`.
    """

    module: GraphModule
    samples: Samples
    values: Mapping[str, Any]
    places: Any
    watched: bool

    @property
    def targets(self) -> Any:
        """Classes, or values."""
        return self.samples.targets

    @property
    def output(self) -> Any:
        """The first output of the network, real, (samples, *its shape)."""
        return self.values[self.module.graph.outputs[0]]

    @property
    def logits(self) -> Any:
        """What the classes' softmax is of, (samples, classes)."""
        return self.values[self.module.logits].flatten(1)


# The loss of a batch: one number. A user's own sees all activations.
Loss = Callable[[Batch], Any]


def task_loss(batch: Batch) -> Any:
    """Cross entropy with classes, mean squared error of the first output with values."""
    if batch.targets.dtype is torch.int64:
        return class_loss(batch)
    return F.mse_loss(batch.output.flatten(1), batch.targets.flatten(1))


def class_loss(batch: Batch) -> Any:
    """Cross entropy; of two classes told by one number, that number's sign or, of a logistic, its half tells them."""
    logits = batch.logits
    if logits.shape[1] > 1:
        return F.cross_entropy(logits, batch.targets)
    producer = batch.module.graph.producer(batch.module.logits)
    if isinstance(producer, Logistic):
        return F.binary_cross_entropy(logits[:, 0].clamp(1e-6, 1 - 1e-6), batch.targets.float())
    return F.binary_cross_entropy_with_logits(logits[:, 0], batch.targets.float())


def right(batch: Batch) -> int | None:
    """How many classes are told right, by the deployed output; None without classes."""
    if batch.targets is None or batch.targets.dtype is not torch.int64 or batch.output.flatten(1).shape[1] < 2:
        return None
    return int((batch.output.flatten(1).argmax(1) == batch.targets).sum())
