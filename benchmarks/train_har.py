"""Trains a small network on windows of six movement signals: convolutions, a depthwise block with a residual
connection, and two fully connected layers. Needs PyTorch (the extra `train`).

    python benchmarks/train_har.py DATA.npz TARGET.onnx

Split 1 of the data trains, split 2 is printed; split 0 is not looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from midge.importers.torch import onnx_of_module

_SEED = 7
_EPOCHS = 40
_BATCH = 32
_RATE = 3e-3


class Movements(nn.Module):
    """Windows (n, 128, 6) to six logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv_norm(6, 24, 7, stride=2)
        self.depthwise = _conv_norm(24, 24, 5, groups=24)
        self.pointwise = _conv_norm(24, 24, 1)
        self.head = _conv_norm(24, 48, 5, stride=2)
        self.hidden = nn.Linear(48, 32)
        self.logits = nn.Linear(32, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One window after another."""
        stem = torch.relu(self.stem(x.transpose(1, 2).unsqueeze(2)))
        block = self.pointwise(torch.relu(self.depthwise(stem)))
        pooled = nn.functional.max_pool2d(torch.relu(stem + block), (1, 2))
        features = torch.relu(self.head(pooled)).mean(dim=(2, 3))
        return torch.softmax(self.logits(torch.relu(self.hidden(features))), dim=1)


def _conv_norm(inputs: int, outputs: int, width: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Along time, the last axis."""
    padding = (0, width // 2)
    conv = nn.Conv2d(inputs, outputs, (1, width), (1, stride), padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def train(x: torch.Tensor, y: torch.Tensor) -> Movements:
    """A network after a fixed number of epochs."""
    torch.manual_seed(_SEED)
    torch.set_num_threads(1)
    network = Movements()
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _EPOCHS)
    for _ in range(_EPOCHS):
        network.train()
        for some in torch.randperm(len(x)).split(_BATCH):
            optimizer.zero_grad()
            loss = nn.functional.nll_loss(torch.log(network(x[some]) + 1e-9), y[some])
            loss.backward()
            optimizer.step()
        schedule.step()
    return network.eval()


def train_har(source: Path, target: Path) -> None:
    """Train on the data file `source` and write the ONNX model `target`."""
    data: Any = np.load(source)
    split = data["split"]
    x, y = torch.from_numpy(data["x"][split > 0]), torch.from_numpy(data["y"][split > 0].astype(np.int64))
    learn = torch.from_numpy(split[split > 0] == 1)
    network = train(x[learn], y[learn])
    with torch.no_grad():
        right = (network(x[~learn]).argmax(dim=1) == y[~learn]).float().mean()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(onnx_of_module(network, (x[:1],), target.stem))
    print(f"{target.name}: {100 * right:.1f} % of split 2 right", file=sys.stderr)


if __name__ == "__main__":
    train_har(Path(sys.argv[1]), Path(sys.argv[2]))
