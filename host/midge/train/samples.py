"""Samples as tensors: those to train on, and those to watch, to know when to stop. Split 0 is never among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from midge.data import Dataset, Indices
from midge.errors import SettingsError
from midge.train.module import GraphModule

# Where no samples are for tuning, this part of those for training is watched instead.
_WATCHED = 5


@dataclass(frozen=True, eq=False)
class Samples:
    """Real inputs of the network, one tensor for each, and what they should give: classes, values, or nothing known."""

    inputs: tuple[Any, ...]
    targets: Any = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def at(self, places: Any) -> Samples:
        """Some of them."""
        targets = None if self.targets is None else self.targets[places]
        return Samples(tuple(x[places] for x in self.inputs), targets)


def training_samples(module: GraphModule, data: Dataset, seed: int) -> tuple[Samples, Samples]:
    """The samples to train on and those to watch, see training_places."""
    train, watch = training_places(data, seed)
    return samples_at(module, data, train), samples_at(module, data, watch)


def training_places(data: Dataset, seed: int) -> tuple[Indices, Indices]:
    """The indices of split 1 to train on and those of split 2 to watch; without split 2, a fifth of split 1.

    Raises SettingsError when there is nothing to train on.
    """
    train, watch = data.calibrate, data.tune
    if len(watch) == 0:
        order = np.random.default_rng(seed).permutation(train)
        cut = len(order) // _WATCHED
        train, watch = np.sort(order[cut:]), np.sort(order[:cut])
    if len(train) == 0 or len(watch) == 0:
        raise SettingsError(
            f"{data.path} has {len(data.calibrate)} samples to train on and {len(data.tune)} to watch",
            hint="add an array `split` to the file: 1 for samples to train on, 2 to watch, 0 to evaluate",
        )
    return train, watch


def samples_at(module: GraphModule, data: Dataset, indices: Indices) -> Samples:
    """The samples at `indices`, with their classes where the data has them."""
    columns = [data.inputs_for(tensor, indices) for tensor in module.graph.input_tensors]
    targets = None if data.labels is None else torch.from_numpy(data.labels[indices])
    return Samples(module.given(columns), targets)
