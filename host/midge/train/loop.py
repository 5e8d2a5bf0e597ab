"""The loop: batches in an order that the seed decides, a half cosine of the learning rate, the best epoch kept.

One thread computes, so that on the same machine the same seed gives the same bits; a run that was killed goes on from
its checkpoint to the very result it would have had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

import torch
from torch import nn

from midge.compress.steps import Train
from midge.errors import SettingsError
from midge.ir.tensor import Array
from midge.progress import Progress, silent
from midge.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from midge.train.losses import Batch, Loss, right, task_loss
from midge.train.module import GraphModule
from midge.train.samples import Samples

# What a network is watched with at a time.
_WATCHED = 256

# Masks of weights by their tensor's name from the part of training that is done (0 to 1): a schedule of pruning.
Schedule = Callable[[float, GraphModule], Mapping[str, Array]]


@dataclass(frozen=True)
class Epoch:
    """What an epoch brought: the mean loss of training, that of the watched samples, and the part of those told right
    (None without classes)."""

    loss: float
    watched_loss: float
    accuracy: float | None

    @property
    def merit(self) -> tuple[float, float]:
        """More is better: first what is told right, then the loss."""
        return (0.0 if self.accuracy is None else self.accuracy, -self.watched_loss)


@dataclass(frozen=True)
class History:
    """All epochs, the first before any training, and the number of the one whose weights were kept."""

    epochs: tuple[Epoch, ...]
    best: int


def train(
    module: GraphModule,
    training: Samples,
    watched: Samples,
    options: Train,
    seed: int = 0,
    loss: Loss = task_loss,
    schedule: Schedule | None = None,
    helper: nn.Module | None = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> History:
    """Train `module` in place; it ends with the weights of the epoch that did best on the `watched` samples.

    `loss`: the user's own, or the task's. `schedule`: asked before each epoch for masks; the best is looked for among
    the epochs of its last masks. `helper`: what the loss learns beside the network. `checkpoint`: a file that is
    written after each epoch and gone on from. Raises SettingsError when the loss is no number any more, or the
    checkpoint is of another training.
    """
    with _one_thread():
        run = _Run(module, training, watched, options, seed, loss, helper)
        state = run.start() if checkpoint is None else run.resumed(checkpoint)
        for epoch in progress(range(len(state.history) - 1, options.epochs), "training"):
            if epoch - state.best >= options.patience:
                break
            masks = {} if schedule is None else schedule((epoch + 1) / options.epochs, module)
            changed = run.apply(masks)
            state = run.advance(state, epoch, changed)
            if checkpoint is not None:
                write_checkpoint(checkpoint, state)
        run.restore(state)
    return History(tuple(Epoch(*row) for row in state.history), state.best)


@contextmanager
def _one_thread() -> Generator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Run:
    """The parts of one training; what changes from epoch to epoch is in them and in a Checkpoint."""

    def __init__(
        self,
        module: GraphModule,
        training: Samples,
        watched: Samples,
        options: Train,
        seed: int,
        loss: Loss,
        helper: nn.Module | None,
    ) -> None:
        self.module, self.training, self.watched = module, training, watched
        self.options, self.seed, self.loss = options, seed, loss
        self.parts = nn.ModuleList([module] if helper is None else [module, helper])
        self.optimizer = _optimizer(self.parts, options)
        self.key = self._key()

    def start(self) -> Checkpoint:
        """Before any training."""
        return self._checkpoint([self._watch(0.0)], 0, self._weights())

    def resumed(self, path: Path) -> Checkpoint:
        """Where the checkpoint left off, or the start without one."""
        state = read_checkpoint(path)
        if state is None:
            return self.start()
        if state.key != self.key:
            raise SettingsError(
                f"{path} is the checkpoint of another training (another network, data, seed or setting)",
                hint="remove it, or name another file",
            )
        self._load(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        return state

    def apply(self, masks: Mapping[str, Array]) -> bool:
        """Sets masks; whether any of them is another than before."""
        before = self.module.masks()
        self.module.set_masks(masks)
        return any(n not in before or not (before[n] == m.reshape(before[n].shape)).all() for n, m in masks.items())

    def advance(self, state: Checkpoint, epoch: int, changed: bool) -> Checkpoint:
        """One epoch further."""
        mean = self._epoch(epoch)
        row = self._watch(mean)
        history = [*state.history, row]
        better = changed or Epoch(*row).merit > Epoch(*state.history[state.best]).merit
        if not better:
            return self._checkpoint(history, state.best, state.best_weights)
        return self._checkpoint(history, epoch + 1, self._weights())

    def restore(self, state: Checkpoint) -> None:
        """The module with the best weights."""
        self._load(state.best_weights)
        self.module.eval()

    def _epoch(self, epoch: int) -> float:
        self.parts.train()
        order = torch.randperm(len(self.training), generator=torch.Generator().manual_seed(self.seed * 65537 + epoch))
        batches = order.split(self.options.batch)
        total = 0.0
        for number, places in enumerate(batches):
            done = (epoch + number / len(batches)) / self.options.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = self.options.learning_rate * 0.5 * (1 + cos(pi * done))
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self._batch(self.training.at(places), places, False))
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(places)
        if not isfinite(total):
            raise SettingsError("training went astray: the loss is no number", hint="a smaller learning_rate")
        return total / len(self.training)

    def _watch(self, mean: float) -> tuple[float, float, float | None]:
        """A row of the history."""
        self.parts.eval()
        total, hits, counted = 0.0, 0, True
        with torch.no_grad():
            for places in torch.arange(len(self.watched)).split(_WATCHED):
                batch = self._batch(self.watched.at(places), places, True)
                total += float(self.loss(batch)) * len(places)
                found = right(batch)
                counted, hits = counted and found is not None, hits + (found or 0)
        return mean, total / len(self.watched), hits / len(self.watched) if counted else None

    def _batch(self, samples: Samples, places: Any, watched: bool) -> Batch:
        return Batch(self.module, samples, self.module.run(*samples.inputs), places, watched)

    def _weights(self) -> dict[str, Any]:
        return {name: value.detach().clone() for name, value in self.parts.state_dict().items()}

    def _load(self, weights: Mapping[str, Any]) -> None:
        self.module.make_room(n.partition(".")[2] for n in weights)
        self.parts.load_state_dict(weights)

    def _checkpoint(
        self, history: list[tuple[float, float, float | None]], best: int, best_weights: dict[str, Any]
    ) -> Checkpoint:
        return Checkpoint(self.key, history, best, best_weights, self._weights(), self.optimizer.state_dict())

    def _key(self) -> str:
        """Of all that the result depends on."""
        digest = hashlib.sha256(repr((self.options, self.seed, torch.__version__)).encode())
        tensors = [*self._weights().values(), *self.training.inputs, *self.watched.inputs]
        for value in (*tensors, self.training.targets, self.watched.targets):
            digest.update(b"" if value is None else value.numpy().tobytes())
        return digest.hexdigest()


def _optimizer(parts: nn.ModuleList, options: Train) -> Any:
    """Step sizes have no weight decay: it would draw their factors to 1."""
    named = [(n, p) for n, p in parts.named_parameters() if p.requires_grad]
    steps = [p for n, p in named if n.endswith(".factor")]
    others = [p for n, p in named if not n.endswith(".factor")]
    groups = [{"params": others, "weight_decay": options.weight_decay}, {"params": steps, "weight_decay": 0.0}]
    kept = [group for group in groups if group["params"]]
    if options.optimizer == "sgd":
        return torch.optim.SGD(kept, lr=options.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.Adam(kept, lr=options.learning_rate, fused=True)
