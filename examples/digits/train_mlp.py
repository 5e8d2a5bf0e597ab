"""Train a perceptron 64-32-10 on the digits and write digits_mlp.tflite beside this file: the smallest network here.

Run by hand, once: `python examples/digits/train_mlp.py`. It needs numpy and midge alone; gradients are written out.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midge.exporters.tflite_file import tflite_file
from midge.ir.tensor import DType, Quant, Tensor
from midge.ops.formats import SourceOp

HERE = Path(__file__).resolve().parent
HIDDEN, CLASSES = 32, 10
EPOCHS, RATE, DECAY = 600, 0.01, 1e-3
SEED = 2024
INPUT = Quant.per_tensor(1 / 255, -128)
RELU = 1

Array = NDArray[Any]


def train(x: Array, y: Array) -> list[Array]:
    """Weights and biases of both layers, by Adam on the whole of the data."""
    rng = np.random.default_rng(SEED)
    parameters = [
        rng.normal(0, (2 / x.shape[1]) ** 0.5, (HIDDEN, x.shape[1])),
        np.zeros(HIDDEN),
        rng.normal(0, (2 / HIDDEN) ** 0.5, (CLASSES, HIDDEN)),
        np.zeros(CLASSES),
    ]
    means, squares = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    for epoch in range(1, EPOCHS + 1):
        for p, g, mean, square in zip(parameters, gradients(parameters, x, y), means, squares, strict=True):
            mean += 0.1 * (g - mean)
            square += 0.001 * (g * g - square)
            p -= RATE * (mean / (1 - 0.9**epoch) / (np.sqrt(square / (1 - 0.999**epoch)) + 1e-8) + DECAY * p)
    return parameters


def gradients(parameters: list[Array], x: Array, y: Array) -> list[Array]:
    """Of the cross entropy, averaged over the samples."""
    w, b, v, c = parameters
    hidden = np.maximum(x @ w.T + b, 0)
    logits = hidden @ v.T + c
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = (odds / odds.sum(axis=1, keepdims=True) - np.eye(CLASSES)[y]) / len(x)
    back = (error @ v) * (hidden > 0)
    return [back.T @ x, back.sum(axis=0), error.T @ hidden, error.sum(axis=0)]


def layer(
    index: int, x: Tensor, weights: Array, bias: Array, values: Array, activation: int
) -> tuple[SourceOp, Tensor]:
    """A layer with int8 weights, its output's range that of `values`."""
    low, high = min(0.0, float(values.min())), float(values.max())
    scale = (high - low) / 255
    output = Tensor(f"t{index}", (1, len(weights)), DType.S8, Quant.per_tensor(scale, round(-128 - low / scale)))
    step = float(np.abs(weights).max()) / 127
    sums = x.q.scale * step
    constants = (
        Tensor(
            f"w{index}", weights.shape, DType.S8, Quant.per_tensor(step, 0), np.rint(weights / step).astype(np.int8)
        ),
        Tensor(f"b{index}", bias.shape, DType.S32, Quant.per_tensor(sums, 0), np.rint(bias / sums).astype(np.int32)),
    )
    attributes = {"FusedActivationFunction": activation, "WeightsFormat": 0, "KeepNumDims": False}
    return SourceOp("FULLY_CONNECTED", f"op{index}", (x, *constants), (output,), attributes), output


def main() -> None:
    """Train on split 1, score on split 0, write."""
    data = np.load(HERE / "digits.npz")
    x, y, known = data["x"].reshape(len(data["x"]), -1) / 16, data["y"], data["split"] == 1
    w, b, v, c = train(x[known], y[known])
    hidden = np.maximum(x @ w.T + b, 0)
    logits = hidden @ v.T + c
    print(f"float accuracy {np.mean(logits[~known].argmax(axis=1) == y[~known]):.3f}")
    scaled = Tensor("t0", (1, x.shape[1]), DType.S8, INPUT)
    first, middle = layer(1, scaled, w, b, hidden[known], RELU)
    second, output = layer(2, middle, v, c, logits[known], 0)
    (HERE / "digits_mlp.tflite").write_bytes(tflite_file([first, second], [scaled], [output]))


if __name__ == "__main__":
    main()
