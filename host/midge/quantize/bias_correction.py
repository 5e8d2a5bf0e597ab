"""Bias correction: what quantization shifts a layer's outputs by on average is taken out of its bias.

Sources: Nagel et al., arXiv 1906.04721, section 4.2 (analytic, from the mean of the input) and its appendix D
(empirical, from the means of the outputs, layer after layer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from midge.ir.tensor import Array, Tensor
from midge.quantize.quality import real_values
from midge.quantize.refine import Layer
from midge.quantize.weights import bias_limit


def correct_by_outputs(layer: Layer) -> Sequence[Tensor]:
    """A bias at which the mean of each channel is the float layer's; none when that does not lower the error."""
    bias = _bias(layer)
    if bias is None:
        return ()
    found = [real_values(layer.outputs[0], v) for v in layer.evaluate()]
    return _better(layer, bias, _mean([w - f for w, f in zip(layer.wanted, found, strict=True)]))


def correct_by_inputs(layer: Layer) -> Sequence[Tensor]:
    """A bias that makes up for the rounding of the weights at the mean of each input channel.

    Padding is left out of account. None where the layer's weights have no channels of their own.
    """
    bias = _bias(layer)
    axes = layer.op.weight_channels(layer.float_tensors)
    if bias is None or axes is None:
        return ()
    weights = layer.tensors[1]
    shape = [-1 if i == (weights.q.axis or 0) else 1 for i in range(len(weights.shape))]
    rounded = np.asarray(weights.data, np.float64) * np.reshape(weights.q.scales, shape)
    error = np.asarray(layer.float_tensors[1].data, np.float64) - rounded
    means = _mean([real_values(layer.tensors[0], sample[0]) for sample in layer.inputs])
    wide = np.repeat(means, weights.shape[axes[0]] // len(means))
    shifts = error * wide.reshape([-1 if i == axes[0] else 1 for i in range(error.ndim)])
    return _better(layer, bias, shifts.sum(axis=tuple(i for i in range(error.ndim) if i != axes[1])))


def _bias(layer: Layer) -> Tensor | None:
    index = layer.op.bias_input
    if index is None or index >= len(layer.tensors) or not layer.tensors[index].is_constant:
        return None
    return layer.tensors[index]


def _mean(values: Sequence[Array]) -> Array:
    """The mean of each channel over all samples."""
    total = sum(v.reshape(-1, v.shape[-1]).sum(axis=0, dtype=np.float64) for v in values)
    return np.asarray(total / sum(v.size // v.shape[-1] for v in values))


def _better(layer: Layer, bias: Tensor, shift: Array) -> Sequence[Tensor]:
    steps = np.rint(shift / np.asarray(bias.q.scales))
    moved = np.clip(np.asarray(bias.data, np.float64) + steps, -bias_limit(bias.dtype), bias_limit(bias.dtype))
    corrected = replace(bias, data=moved.astype(bias.dtype.numpy))
    tensors = [corrected if t.name == bias.name else t for t in layer.tensors]
    return (corrected,) if squared_error(layer, tensors) < squared_error(layer, layer.tensors) else ()


def squared_error(layer: Layer, tensors: Sequence[Tensor]) -> float:
    """The squared difference of the layer's outputs from the float ones, over all samples."""
    found = layer.evaluate(tensors)
    return sum(
        float(((real_values(layer.outputs[0], f) - w) ** 2).sum()) for f, w in zip(found, layer.wanted, strict=True)
    )
