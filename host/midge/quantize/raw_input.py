"""Raw values as input: a mean and a standard deviation that were used in training are folded into the network.

A network that was trained on x = (raw - mean) / std takes the raw bytes of a camera or converter themselves. Its int8
input is raw - 128, so that nothing is rounded: with one whole `mean` by zero point and scale alone, whatever the first
layer is; otherwise the rest goes into the weights and biases of the first layer, which then must not pad (what it adds
at the border stands for 0, and no raw value does).

Raw samples of 16 bits (a converter's, a microphone's) become int8 by one multiplication, as TFLite's QUANTIZE rounds it
to the input's own step, which calibration found. So do those of a network that is int8 already, where one whole `mean`
and one `std` say what a sample is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midge.errors import SettingsError
from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import DType, Tensor
from midge.ir.verify import verify
from midge.ops.quantize import Quantize
from midge.raw_input import RawInput


def fold_raw_input(graph: Graph, raw: RawInput | None) -> Graph:
    """Float `graph` on (raw - zero) * step in place of its normalized input, to a float's precision.

    One that is int8 already comes back with an int16 input. Raises SettingsError where that cannot be, with what to
    change.
    """
    if raw is None:
        return graph
    if not graph.is_float and raw.dtype is DType.S16:
        return _integer(graph, raw)
    (tensor,) = _only_input(graph)
    channels = tensor.shape[-1] if tensor.shape else 1
    for what, values in (("input_mean", raw.mean), ("input_std", raw.std)):
        if len(values) not in (1, channels):
            raise SettingsError(f"{what} has {len(values)} numbers", hint=f"one, or {channels}, one for each channel")
    if raw.is_plain:
        return graph
    readers = graph.consumers(tensor.name)
    if len(readers) != 1 or readers[0].weight_channels(graph.inputs_of(readers[0])) is None:
        raise _refusal(f"{', '.join(op.name for op in readers)} is no layer of weights that could take it in")
    return _folded(graph, readers[0], raw, channels)


def _integer(graph: Graph, raw: RawInput) -> Graph:
    """The int8 network with an int16 input; one that has that already comes back."""
    x = graph.input_tensors[0]
    if len(graph.inputs) == 1 and x.dtype is DType.S16 and x.quant == raw.quant:
        return graph
    if len(graph.inputs) != 1 or x.dtype is not DType.S8 or x.quant is None:
        what = f"has {len(graph.inputs)} inputs" if len(graph.inputs) != 1 else f"takes {x.dtype.value}"
        raise SettingsError(f"raw_input: {graph.name} {what}", hint="a network with one int8 input can take int16")
    if not raw.is_plain:
        raise SettingsError(
            f"raw_input: {graph.name} is an integer model already, which one whole input_mean and one input_std suit",
            hint="round the mean, or start from the float model",
        )
    return take_raw(graph, raw)


def _only_input(graph: Graph) -> tuple[Tensor]:
    if not graph.is_float or len(graph.inputs) != 1:
        what = "is an integer model already" if not graph.is_float else f"has {len(graph.inputs)} inputs"
        raise SettingsError(f"raw_input: {graph.name} {what}", hint="start from a float model of one input")
    return (graph.input_tensors[0],)


def _folded(graph: Graph, op: Op, raw: RawInput, channels: int) -> Graph:
    """sum w * x + b with x = k * x' + d by channel, of which x' is the new input."""
    if any(any(pair) for pair in getattr(op, "padding", ())):
        raise _refusal(f"{op.name} pads its input")
    inputs = graph.inputs_of(op)
    weights = inputs[1]
    axes = op.weight_channels(inputs)
    if axes is None or weights.data is None or (len(inputs) > 2 and inputs[2].data is None):
        raise _refusal(f"{op.name} computes its weights")
    mean, std = (np.broadcast_to(np.asarray(v, np.float64), channels) for v in (raw.mean, raw.std))
    factors, shifts = 1 / (std * raw.step), (raw.zero - mean) / std
    shape = [-1 if i == axes[0] else 1 for i in range(len(weights.shape))]
    data = np.asarray(weights.data, np.float64)
    repeats = weights.shape[axes[0]] // channels
    scaled, shifted = (data * np.repeat(v, repeats).reshape(shape) for v in (factors, shifts))
    added = shifted.sum(axis=tuple(i for i in range(data.ndim) if i != axes[1]))
    old = np.asarray(inputs[2].data, np.float64) if len(inputs) > 2 else 0.0
    made = [
        Tensor(
            fresh_name(f"{weights.name}/raw", graph.tensors), weights.shape, DType.F32, None, scaled.astype(np.float32)
        ),
        Tensor(
            fresh_name(f"{op.name}/raw_bias", graph.tensors),
            added.shape,
            DType.F32,
            None,
            (old + added).astype(np.float32),
        ),
    ]
    folded = replace(op, inputs=(op.inputs[0], *(t.name for t in made)))
    return verify(graph.with_ops([folded if o is op else o for o in graph.ops], made))


def _refusal(why: str) -> SettingsError:
    return SettingsError(
        f"raw_input: this mean and std cannot be folded exactly: {why}",
        hint="one whole number as the mean and one std for all channels can, whatever the first layer; or a first "
        "layer without padding",
    )


def take_raw(graph: Graph, raw: RawInput) -> Graph:
    """The int8 network of a folded one with a raw input, which a QUANTIZE makes int8: of bytes by flipping one bit.

    Every one of the 256 bytes is looked at: raises SettingsError unless each becomes raw - 128.
    """
    name = graph.inputs[0]
    inner = fresh_name(f"{name}/int8", graph.tensors)
    tensor = graph.tensors[name]
    if tensor.quant is None:
        raise SettingsError(f"raw_input: {name} stays float, as indices are made of it", hint="leave raw_input out")
    outer = replace(tensor, dtype=raw.dtype, quant=raw.quant)
    op = Quantize(name=f"{name}/quantize", inputs=(name,), outputs=(inner,))
    if raw.dtype is DType.U8:
        _check_every_byte(raw, op, outer, tensor)
    ops = [replace(o, inputs=tuple(inner if n == name else n for n in o.inputs)) for o in graph.ops]
    return verify(graph.with_ops([op, *ops], [outer, replace(tensor, name=inner)]))


def _check_every_byte(raw: RawInput, op: Quantize, outer: Tensor, inner: Tensor) -> None:
    low, high = raw.ends
    every = np.arange(low, high + 1)
    bytes_, integers = (replace(t, shape=every.shape) for t in (outer, inner))
    (found,) = op.evaluate([bytes_], [integers], [every.astype(np.uint8)])
    meant = raw.given(every, integers)
    if inner.dtype is not DType.S8 or (found != every - 128).any() or (meant != every - 128).any():
        raise SettingsError(
            f"raw_input: the input {inner.name} shares its scale with other values, so that bytes would be rounded",
            hint="leave raw_input out",
        )
