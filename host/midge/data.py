"""Samples for a network: labelled data files, golden inputs and outputs, and drawn inputs.

A data file is an .npz with `x` (samples first) and optionally `y` (one label per sample), `split` (per sample: 0
evaluate, 1 calibrate, 2 tune), `sequence` (an integer per sample: neighbors with the same number are one stream, for
networks that remember; without it all samples are one), and `scale` and `zero_point` of an integer `x`: real = (x -
zero_point) * scale. Integer `x` without a scale is taken as plain numbers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from midge.errors import DataError
from midge.ir.graph import Graph
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.npz import array_names, read_npz
from midge.numerics.fixed_point import quantize_array
from midge.raw_input import RawInput

_FIELDS = ("x", "y", "split", "sequence", "scale", "zero_point")
_EVALUATE, _CALIBRATE, _TUNE = 0, 1, 2
_GOLDEN_NAME = re.compile(r"(rand|real)_(in|out)\d+")
_GOLDEN_HINT = "use the goldens made with this very model"

Indices = NDArray[np.int64]
# Inputs and outputs of one call, in the graph's order.
Case = tuple[list[Array], list[Array]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples of one data file, as stored; `inputs_for` gives them as a network wants them.

    `labels` has the class of each sample, when the file has classes. `evaluate`, `calibrate` and `tune` are indices of
    samples; no sample is in two of them. `sequence` has the number of each sample's stream. `notes` say in words what
    was converted or ignored. `sha256` is the file's. `raw`: what raw values the network takes, see midge.raw_input.
    """

    path: Path
    sha256: str
    x: Array
    quant: Quant | None
    labels: Indices | None
    evaluate: Indices
    calibrate: Indices
    tune: Indices
    notes: tuple[str, ...]
    sequence: Indices | None = None
    raw: RawInput | None = None

    def taking(self, raw: RawInput | None) -> Dataset:
        """The same samples for a network that takes `raw` input; integers without a scale are raw values then."""
        return replace(self, raw=raw)

    def __len__(self) -> int:
        return len(self.x)

    def starts(self, indices: Indices) -> list[bool]:
        """Which of the samples at `indices` begin a stream: the first, and where the number changes."""
        if self.sequence is None or len(indices) == 0:
            return [i == 0 for i in range(len(indices))]
        numbers = self.sequence[indices]
        return [True, *(numbers[1:] != numbers[:-1]).tolist()]

    def inputs_for(self, tensor: Tensor, indices: Indices | None = None) -> Array:
        """Samples for the input `tensor`, shape (samples, *tensor.shape) and its type; all of them without `indices`.

        A real value becomes an integer as TFLite's QUANTIZE does it, saturated to the type. Integers that already have
        the tensor's scale and zero point pass through unchanged. Raises DataError when shape or type cannot fit.
        """
        chosen = self.x if indices is None else self.x[indices]
        _check_shape(self.path, self.x, tensor)
        if self.raw is not None:
            chosen = chosen.reshape(len(chosen), *tensor.shape)
            return self.raw.given(_raw(chosen, self.quant, self.raw), tensor)
        return _convert(chosen, self.quant, tensor, self.path).reshape(len(chosen), *tensor.shape)


def load_data(path: Path, graph: Graph) -> Dataset:
    """Read a data file for `graph`, which has one input. Raises DataError when the file cannot feed it."""
    if len(graph.inputs) != 1:
        raise DataError(
            f"{graph.name} has {len(graph.inputs)} inputs; a data file feeds one",
            hint="run it without data (drawn inputs), or verify it with --golden",
        )
    arrays = read_npz(path, lambda name: name in _FIELDS)
    x = _samples(path, arrays.get("x"))
    notes: list[str] = []
    quant = _stored_quant(path, x, arrays.get("scale"), arrays.get("zero_point"), notes)
    split = _split(path, arrays.get("split"), len(x))
    labels = _labels(path, arrays.get("y"), len(x), graph, notes)
    sequence = _sequence(path, arrays.get("sequence"), len(x))
    notes += _conversion_notes(x, quant, graph.input_tensors[0])
    evaluate, calibrate, tune = (np.flatnonzero(split == number) for number in (_EVALUATE, _CALIBRATE, _TUNE))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = Dataset(path, digest, x, quant, labels, evaluate, calibrate, tune, tuple(notes), sequence)
    # What cannot fit is said now, before anything is built.
    data.inputs_for(graph.input_tensors[0], np.arange(1))
    return data


def _samples(path: Path, x: Array | None) -> Array:
    if x is None:
        raise DataError(
            f"{path} has no array x; it has {array_names(path)}",
            hint="write it with numpy.savez(file, x=samples, y=labels)",
        )
    if x.ndim == 0 or len(x) == 0:
        raise DataError(f"{path}: x has the shape {list(x.shape)}, no samples", hint="x has the samples along axis 0")
    if x.dtype.kind not in "fiub":
        raise DataError(f"{path}: x is {x.dtype}, not numbers", hint="store x as float32 or as integers")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise DataError(f"{path}: x has values that are not finite", hint="clean the data first")
    return x


def _stored_quant(
    path: Path, x: Array, scale: Array | None, zero_point: Array | None, notes: list[str]
) -> Quant | None:
    """The quantization of an integer x, or None for plain numbers."""
    if x.dtype.kind == "f":
        if scale is not None or zero_point is not None:
            notes.append("x is float: the file's scale and zero_point are ignored")
        return None
    if scale is None:
        notes.append(f"x is {x.dtype} without a scale: taken as plain numbers")
        return None
    zero = np.zeros(1, np.int64) if zero_point is None else zero_point
    if scale.size != 1 or zero.size != 1 or scale.dtype.kind not in "fiu" or zero.dtype.kind not in "iu":
        raise DataError(f"{path}: scale and zero_point must be one number each", hint="store them as scalars")
    value = float(np.float32(scale.item()))
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"{path}: scale is {value}", hint="a scale is positive and finite")
    return Quant.per_tensor(value, int(zero.item()))


def _split(path: Path, split: Array | None, samples: int) -> Array:
    if split is None:
        return np.full(samples, _EVALUATE)
    if split.shape != (samples,) or split.dtype.kind not in "iub" or not np.isin(split, (0, 1, 2)).all():
        raise DataError(
            f"{path}: split must be {samples} numbers, each 0, 1 or 2; it is {split.dtype}{list(split.shape)}",
            hint="0 marks samples to evaluate, 1 to calibrate, 2 to tune",
        )
    return split.astype(np.int64)


def _sequence(path: Path, sequence: Array | None, samples: int) -> Indices | None:
    if sequence is None:
        return None
    if sequence.shape != (samples,) or sequence.dtype.kind not in "iu":
        raise DataError(
            f"{path}: sequence must be {samples} integers; it is {sequence.dtype}{list(sequence.shape)}",
            hint="give each sample the number of the stream that it belongs to",
        )
    return sequence.astype(np.int64)


def _labels(path: Path, y: Array | None, samples: int, graph: Graph, notes: list[str]) -> Indices | None:
    if y is None:
        return None
    if y.ndim == 0 or len(y) != samples:
        raise DataError(f"{path}: y has the shape {list(y.shape)} for {samples} samples", hint="one label per sample")
    if y.size != samples or y.dtype.kind not in "iub":
        one_hot = " (y.argmax(1) makes classes of rows)" if y.ndim == 2 and y.shape[1] > 1 else ""
        notes.append(f"y is {y.dtype}{list(y.shape)}, not one class per sample: no accuracy is measured{one_hot}")
        return None
    labels = y.reshape(samples).astype(np.int64)
    classes = max(2, graph.output_tensors[0].elements)
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"{path}: y has labels {labels.min()}..{labels.max()}, {graph.name} tells {classes} classes apart",
            hint="labels count from 0; use data made for this network",
        )
    return labels


def _conversion_notes(x: Array, quant: Quant | None, tensor: Tensor) -> list[str]:
    """What `inputs_for` does to the samples, in words; nothing for samples that pass through unchanged."""
    notes = []
    sample = x.shape[1:]
    if sample not in (tensor.shape, tensor.shape[1:]):
        notes.append(f"each sample {list(sample)} is reshaped to {list(tensor.shape)}")
    if tensor.dtype is DType.F32:
        if quant is not None:
            notes.append(f"x is {x.dtype}: taken as (x - {quant.zero_point}) * {quant.scale:.6g}")
    elif not _passes_through(x, quant, tensor) and tensor.quant is not None:
        q = tensor.quant
        notes.append(f"x is quantized to {tensor.dtype.value} with scale {q.scale:.6g}, zero point {q.zero_point}")
    return notes


def _check_shape(path: Path, x: Array, tensor: Tensor) -> None:
    if prod(x.shape[1:]) != tensor.elements:
        raise DataError(
            f"{path}: a sample of x has the shape {list(x.shape[1:])}, {prod(x.shape[1:])} values; the input "
            f"{tensor.name} is {list(tensor.shape)}, {tensor.elements} values",
            hint="use data made for this network; x has the samples along axis 0",
        )


def _passes_through(x: Array, quant: Quant | None, tensor: Tensor) -> bool:
    return quant is not None and x.dtype == tensor.dtype.numpy and quant == tensor.quant


def _raw(x: Array, quant: Quant | None, raw: RawInput) -> Array:
    """Samples as raw values; those that are stored normalized become the nearest ones."""
    if x.dtype.kind != "f" and quant is None:
        return np.clip(x, *raw.ends)
    real = x if quant is None else ((x.astype(np.float64) - quant.zero_point) * quant.scale)
    return raw.raw_of(real)


def _convert(x: Array, quant: Quant | None, tensor: Tensor, path: Path) -> Array:
    """Samples in the tensor's type."""
    if _passes_through(x, quant, tensor):
        return x
    if quant is None:
        real = x.astype(np.float32)
    else:
        # One rounding, as in TFLite's DEQUANTIZE: the difference and the product are exact in double.
        real = ((x.astype(np.float64) - quant.zero_point) * quant.scale).astype(np.float32)
    if tensor.dtype is DType.F32:
        return real
    if tensor.quant is not None:
        return quantize_array(real, tensor.quant, tensor.dtype)
    if quant is None and x.dtype.kind != "f" and np.can_cast(x.dtype, tensor.dtype.numpy):
        return x.astype(tensor.dtype.numpy)
    raise DataError(
        f"{path}: x is {x.dtype}, the input {tensor.name} is {tensor.dtype.value} without a scale",
        hint="store x in the input's own type, without scale and zero_point",
    )


def load_golden(path: Path, graph: Graph) -> list[Case]:
    """The calls that a golden .npz holds: inputs and the outputs they gave, in the graph's order, shapes and types.

    Arrays `rand_in{i}`, `rand_out{i}` (and `real_in{i}`, `real_out{i}`) have the calls stacked on a new first axis.
    Raises DataError when there are none, or when they are of another model.
    """
    return [case for sequence in load_golden_sequences(path, graph) for case in sequence]


def load_golden_sequences(path: Path, graph: Graph) -> list[list[Case]]:
    """As load_golden, the calls of each kind as one stream: what a network that remembers has seen one by one."""
    arrays = read_npz(path, lambda name: _GOLDEN_NAME.fullmatch(name) is not None)
    cases: list[list[Case]] = []
    for kind in ("rand", "real"):
        if f"{kind}_in0" in arrays:
            inputs = _columns(path, arrays, f"{kind}_in", graph.input_tensors)
            outputs = _columns(path, arrays, f"{kind}_out", graph.output_tensors)
            if len({len(column) for column in (*inputs, *outputs)}) != 1:
                raise DataError(f"{path}: its {kind}_* arrays have different numbers of calls", hint=_GOLDEN_HINT)
            calls = zip(zip(*inputs, strict=True), zip(*outputs, strict=True), strict=True)
            cases.append([(list(given), list(gave)) for given, gave in calls])
    if not any(cases):
        raise DataError(
            f"{path} holds no golden calls (arrays rand_in0, rand_out0); it has {array_names(path)}", hint=_GOLDEN_HINT
        )
    return cases


def _columns(path: Path, arrays: Mapping[str, Array], prefix: str, tensors: Sequence[Tensor]) -> list[Array]:
    """The stacked calls of each tensor."""
    names = [f"{prefix}{i}" for i in range(len(tensors))]
    if {n for n in arrays if n.startswith(prefix)} != set(names):
        raise DataError(f"{path}: the model wants {', '.join(names)}, the file differs", hint=_GOLDEN_HINT)
    for name, tensor in zip(names, tensors, strict=True):
        found = arrays[name]
        if found.shape[1:] != tensor.shape or found.dtype != tensor.dtype.numpy or found.ndim == 0:
            raise DataError(
                f"{path}: {name} holds calls of {found.dtype}{list(found.shape[1:])}, the tensor {tensor.name} is "
                f"{tensor.dtype.value}{list(tensor.shape)}",
                hint=_GOLDEN_HINT,
            )
    return [arrays[name] for name in names]


def draw_inputs(graph: Graph, samples: int, seed: int) -> list[list[Array]]:
    """Inputs for `samples` calls, the same for the same seed: integers over their whole range, floats normal (0, 1)."""
    draw = np.random.default_rng(seed)
    return [[_drawn(draw, tensor) for tensor in graph.input_tensors] for _ in range(samples)]


def _drawn(draw: np.random.Generator, tensor: Tensor) -> Array:
    if tensor.dtype is DType.F32:
        return draw.standard_normal(tensor.shape).astype(np.float32)
    if tensor.levels is not None:
        return draw.choice(np.array(tensor.levels, tensor.dtype.numpy), tensor.shape)
    low, high = (0, 1) if tensor.dtype is DType.BOOL else tensor.dtype.limits
    return draw.integers(low, high, tensor.shape, np.int64, endpoint=True).astype(tensor.dtype.numpy)
