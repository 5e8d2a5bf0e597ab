"""The networks that compression is measured on: trained here, on split 1 of real data, once for each seed.

Digits (28x28) and windows of movement signals (128x6): convolutions, a depthwise block with a residual connection, and
two fully connected layers. Needs PyTorch (the extra `train`). Split 0 of the data is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from midge.importers.torch import onnx_of_module

_BATCH = 64
_RATE = 3e-3
_TRAIN, _TUNE = 1, 2


@dataclass(frozen=True)
class Net:
    """One network: how it is built, large or half the size, its data file among the assets, how it is trained.

    `copies`: so many altered ones of each training sample are trained on beside it, made by `alter`.
    """

    title: str
    build: Callable[[bool], nn.Module]
    data: str
    epochs: int
    copies: int
    alter: Callable[[torch.Tensor, torch.Generator], torch.Tensor]


class Digits(nn.Module):
    """Pictures (n, 28, 28, 1) to ten logits."""

    def __init__(self, half: bool = False) -> None:
        super().__init__()
        block, wide, hidden = (16, 12, 40) if half else (24, 16, 64)
        self.stem = _conv_norm(1, 8, 3, stride=2)
        self.narrow = _conv_norm(8, block, 3, stride=2)
        self.depthwise = _conv_norm(block, block, 3, groups=block)
        self.pointwise = _conv_norm(block, block, 1)
        self.wide = _conv_norm(block, wide, 3)
        self.hidden = nn.Linear(wide * 49, hidden)
        self.logits = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One picture after another."""
        start = torch.relu(self.narrow(torch.relu(self.stem(x.permute(0, 3, 1, 2)))))
        block = self.pointwise(torch.relu(self.depthwise(start)))
        features = torch.relu(self.wide(torch.relu(start + block)))
        flat = features.permute(0, 2, 3, 1).flatten(1)
        logits: torch.Tensor = self.logits(torch.relu(self.hidden(flat)))
        return logits


class Movements(nn.Module):
    """Windows (n, 128, 6) to six logits."""

    def __init__(self, half: bool = False) -> None:
        super().__init__()
        block, wide, hidden = (20, 36, 40) if half else (32, 48, 64)
        self.stem = _conv_norm(6, block, (1, 7), stride=(1, 2))
        self.depthwise = _conv_norm(block, block, (1, 5), groups=block)
        self.pointwise = _conv_norm(block, block, 1)
        self.wide = _conv_norm(block, wide, (1, 5), stride=(1, 2))
        self.hidden = nn.Linear(wide * 8, hidden)
        self.logits = nn.Linear(hidden, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One window after another."""
        start = torch.relu(self.stem(x.unsqueeze(1).permute(0, 3, 1, 2)))
        block = self.pointwise(torch.relu(self.depthwise(start)))
        pooled = nn.functional.max_pool2d(torch.relu(start + block), (1, 2))
        features = nn.functional.max_pool2d(torch.relu(self.wide(pooled)), (1, 2))
        flat = features.permute(0, 2, 3, 1).flatten(1)
        logits: torch.Tensor = self.logits(torch.relu(self.hidden(flat)))
        return logits


def _conv_norm(
    inputs: int,
    outputs: int,
    window: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    groups: int = 1,
) -> nn.Sequential:
    high, wide = (window, window) if isinstance(window, int) else window
    padding = (high // 2, wide // 2)
    conv = nn.Conv2d(inputs, outputs, (high, wide), stride, padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def _moved(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Pictures turned by up to 12 degrees, moved by up to two pixels, and a little larger or smaller."""
    count = len(x)
    angle = (torch.rand(count, generator=draw) - 0.5) * 0.42
    size = 1 + (torch.rand(count, generator=draw) - 0.5) * 0.24
    shift = (torch.rand(count, 2, generator=draw) - 0.5) * 0.28
    rows = torch.stack([angle.cos() * size, -angle.sin() * size, shift[:, 0]], 1)
    other = torch.stack([angle.sin() * size, angle.cos() * size, shift[:, 1]], 1)
    grid = nn.functional.affine_grid(torch.stack([rows, other], 1), [count, 1, *x.shape[1:3]], align_corners=False)
    return nn.functional.grid_sample(x.permute(0, 3, 1, 2), grid, align_corners=False).permute(0, 2, 3, 1)


def _jittered(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Windows a little stronger or weaker, with a little noise."""
    gain = 1 + 0.1 * torch.randn(len(x), 1, x.shape[2], generator=draw)
    return x * gain + 0.05 * torch.randn(x.shape, generator=draw)


NETS = {
    "mnist": Net("MNIST, the project's CNN", Digits, "mnist.npz", 3, 3, _moved),
    "har": Net("movements, the project's small net", Movements, "har_hapt.npz", 6, 3, _jittered),
}


def data_file(net: Net, source: Path, target: Path) -> Path:
    """The data of `net` with the altered copies of its training samples in split 1, as real values."""
    if target.is_file():
        return target
    data: Any = np.load(source)
    x, y, split = data["x"].astype(np.float32), data["y"], data["split"]
    if "scale" in data:
        x = (x - data["zero_point"]) * data["scale"]
    train = split == _TRAIN
    draw = torch.Generator().manual_seed(1)
    some = torch.from_numpy(x[train].astype(np.float32))
    more = [net.alter(some, draw).numpy() for _ in range(net.copies)]
    x = np.concatenate([x, *more]).astype(np.float32)
    y = np.concatenate([y, *[y[train]] * net.copies])
    split = np.concatenate([split, np.full(net.copies * int(train.sum()), _TRAIN, split.dtype)])
    target.parent.mkdir(parents=True, exist_ok=True)
    # Another process may want the same file: it sees none until it is whole.
    unfinished = target.with_suffix(f".{os.getpid()}.npz")
    np.savez(unfinished, x=x, y=y, split=split)
    unfinished.replace(target)
    return target


def trained_net(net: Net, data: Path, target: Path, seed: int, *, student: bool = False) -> Path:
    """The float network of one seed, an ONNX file; trained when it is not there yet. `student`: that of half
    the size.
    """
    if target.is_file():
        return target
    arrays: Any = np.load(data)
    learn = arrays["split"] == _TRAIN
    x = torch.from_numpy(arrays["x"][learn])
    y = torch.from_numpy(arrays["y"][learn].astype(np.int64))
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    module = _train(net.build(student), x, y, net.epochs, seed)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(onnx_of_module(module, (x[:1],), target.stem))
    return target


def _train(module: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, seed: int) -> nn.Module:
    optimizer = torch.optim.AdamW(module.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, epochs * -(-len(x) // _BATCH))
    draw = torch.Generator().manual_seed(seed)
    module.train()
    for _ in range(epochs):
        for some in torch.randperm(len(x), generator=draw).split(_BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[some]), y[some], label_smoothing=0.05).backward()
            optimizer.step()
            schedule.step()
    return module.eval()
