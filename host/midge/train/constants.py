"""A constant of the network as what is trained: with its structure kept, and at integers where it is quantized."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from midge.ir.tensor import Array
from midge.quantize.widths import LIMITS
from midge.settings import Width
from midge.train.rounding import Levels, Rounding, settled

# The kernels' tables hold so many values.
_CLUSTERS = 64
# The largest int8 weight, and how far inside the ends of a table, in parts of them, its other values stay.
_END = 127
_INNER = 126.49 / _END
# So near to whole numbers, in steps, are weights that are integers times a scale.
_WHOLE = 1e-3
# Where weights have few bits, zero is one level of few: only above this share was it put there on purpose.
_PRUNED = 0.6


@dataclass(frozen=True)
class Keep:
    """Which structure of weights training keeps: `zeros` stay zeros, and `equals`, few distinct values, stay equal."""

    zeros: bool = True
    equals: bool = True


class Constant(nn.Module):  # type: ignore[misc]
    """A float tensor that is trained. `value()` has one sample in front.

    `data`: its values, over `unit` (which broadcasts) where equal values are equal in that unit alone.
    """

    def __init__(self, data: Array, keep: Keep, unit: Array | None = None) -> None:
        super().__init__()
        values = np.asarray(data, np.float32)
        distinct, places = np.unique(values, return_inverse=True)
        clustered = keep.equals and _few(values)
        self.shape = values.shape
        self.parameter = nn.Parameter(torch.tensor(distinct if clustered else values))
        self.register_buffer("places", torch.tensor(places.reshape(-1)) if clustered else None)
        self.register_buffer("unit", None if unit is None else torch.tensor(np.asarray(unit, np.float32)))
        self.register_buffer("mask", None)
        if keep.zeros and (values == 0).any():
            self.set_mask(values != 0)

    def set_mask(self, mask: Array | None) -> None:
        """Where `mask`, of the tensor's shape, is zero, the value is from now on."""
        self.mask = None if mask is None else torch.tensor(np.asarray(mask).reshape(self.shape), dtype=torch.float32)

    def value(self) -> Any:
        """The real values."""
        found = self.parameter
        if self.places is not None:
            found = found.index_select(0, self.places).reshape(self.shape)
        if self.unit is not None:
            found = found * self.unit
        if self.mask is not None:
            found = found * self.mask
        return found.unsqueeze(0)


class Clusters(Constant):
    """Weights as a table of few values, one for the layer, times a size for each channel: what clustering makes.

    Both are trained. The ends of the table, 1 and -1, stay where they are, so that each channel's largest weight is its
    size, from which quantization finds its scale again; the others stay between them.
    """

    def __init__(self, codes: Array, sizes: Array, keep: Keep) -> None:
        super().__init__(np.asarray(codes, np.float64) / _END, keep, sizes)
        with torch.no_grad():
            self.register_buffer("ends", torch.where(self.parameter.abs() == 1, self.parameter, 0.0))
        self.factor = nn.Parameter(torch.zeros_like(self.unit))

    def table_values(self) -> Any:
        """What the weights are in their channel's size; one sample in front."""
        inner = self.parameter.clamp(-_INNER, _INNER)
        found = torch.where(self.ends != 0, self.ends, inner).index_select(0, self.places).reshape(self.shape)
        return (found if self.mask is None else found * self.mask).unsqueeze(0)

    def value(self) -> Any:
        """The real values."""
        return self.table_values() * (self.unit * torch.exp(self.factor)).unsqueeze(0)


class Fixed(nn.Module):  # type: ignore[misc]
    """A constant that is not trained: indices, numbers of the user's own."""

    def __init__(self, data: Array) -> None:
        super().__init__()
        kind = np.int64 if data.dtype.kind in "iu" else data.dtype
        self.register_buffer("data", torch.tensor(np.asarray(data, kind)))

    def value(self) -> Any:
        """The values."""
        return self.data.unsqueeze(0)


class StepSize(nn.Module):  # type: ignore[misc]
    """The step sizes of one tensor's integers, learned as the logarithm of a factor: they stay positive.

    Steps that are all the same stay so. `axis`: of the tensor, along which they lie.
    """

    def __init__(self, scales: tuple[float, ...], axis: int | None, rank: int, learned: bool) -> None:
        super().__init__()
        one = len(set(scales)) == 1
        self.channels = len(scales)
        shape = [-1 if axis == i - 1 and not one else 1 for i in range(rank + 1)]
        base = torch.tensor(scales[:1] if one else scales, dtype=torch.float32).reshape(shape)
        self.register_buffer("base", base)
        self.factor = nn.Parameter(torch.zeros_like(base), requires_grad=learned)

    def value(self) -> Any:
        """What broadcasts over the values of the tensor with one sample in front."""
        return self.base * torch.exp(self.factor) if self.factor.requires_grad else self.base

    def scales(self) -> tuple[float, ...]:
        """As a Quant has them."""
        found = [float(s) for s in self.value().detach().reshape(-1)]
        return tuple(found * self.channels if len(found) == 1 else found)


class Weights(nn.Module):  # type: ignore[misc]
    """Quantized weights: real shadows, and the integers of a `width` that they are rounded to."""

    def __init__(self, constant: Constant, step: StepSize, width: Width) -> None:
        super().__init__()
        self.constant, self.step, self.width = constant, step, width
        sharing = int(np.prod(constant.shape)) // step.base.numel()
        kind = Rounding.SIGN if width == "binary" else Rounding.EVEN
        self.levels = Levels(*LIMITS[width], rounding=kind, sharing=sharing)

    def value(self, quantized: bool) -> Any:
        """At the integers, or the shadows as they are. Those of clusters are counted in steps: learned steps leave the
        integers few."""
        clusters = isinstance(self.constant, Clusters)
        real = self.constant.table_values() * (_END * self.step.value()) if clusters else self.constant.value()
        if not quantized:
            return real
        return settled(real, self.step.value(), self.levels)

    def integers(self) -> Array:
        """The int8 values."""
        with torch.no_grad():
            found = torch.round(self.value(True).double() / self.step.value().double())[0]
        return np.asarray(found.numpy(), np.int8)


def width_of_integers(integers: Array) -> Width:
    """The narrowest width that has them all."""
    low, high = int(integers.min()), int(integers.max())
    if low < 0 < high and low == -1 and high == 1 and not (integers == 0).any():
        return "binary"
    fitting: tuple[Width, ...] = ("ternary", "int2", "int4", "int8")
    return next((w for w in fitting if LIMITS[w][0] <= low and high <= LIMITS[w][1]), "int8")


def trained_weights(data: Array, axis: int, keep: Keep) -> Constant:
    """What is trained of float weights with a channel for each index of `axis`."""
    axes = tuple(i for i in range(data.ndim) if i != axis)
    sizes = np.abs(np.asarray(data, np.float64)).max(axis=axes, keepdims=True)
    codes = data / np.where(sizes > 0, sizes, 1) * _END
    if keep.equals and _are_clusters(codes):
        return Clusters(np.rint(codes), sizes, keep)
    return Constant(data, keep)


def _are_clusters(codes: Array) -> bool:
    """Whether real values are few integers."""
    whole = np.rint(codes)
    return bool(np.abs(codes - whole).max() < _WHOLE) and _few(whole)


def _few(values: Array) -> bool:
    """Whether weights take so few values that this is their structure, in small layers too."""
    return len(np.unique(values)) <= min(_CLUSTERS, values.size // 2)


def shadows(integers: Array, scales: Array, width: Width, keep: Keep, source: Array | None) -> Constant:
    """What is trained of weights that are `integers` times `scales`, made of float `source` where that is there.

    The float values are moved as little as needed for them to round to the very integers. Two levels have no zero to
    keep.
    """
    keep = replace(keep, zeros=keep.zeros and width != "binary")
    same = source is None or source.shape != integers.shape or bool(np.abs(source / scales - integers).max() < _WHOLE)
    if keep.equals and width == "int8" and same and _few(integers):
        return Clusters(integers, _END * scales, keep)
    if source is None or source.shape != integers.shape:
        narrow = width != "int8"
        zeros = keep.zeros and (not narrow or float((integers == 0).mean()) > _PRUNED)
        held = Keep(zeros, keep.equals and not narrow)
        return Constant(integers, held, scales)
    real = np.asarray(source, np.float64)
    if keep.equals and _few(source):
        return Constant(source, keep)
    low, high = LIMITS[width]
    q = integers.astype(np.float64)
    below = np.where(q <= low, -np.inf, (q - 0.499) * scales)
    above = np.where(q >= high, np.inf, (q + 0.499) * scales)
    if width == "binary":
        below, above = np.where(q < 0, -np.inf, 0.0), np.where(q < 0, -1e-12, np.inf)
    moved = np.clip(real, below, above)
    return Constant(np.where(real == 0, 0, moved), keep)
