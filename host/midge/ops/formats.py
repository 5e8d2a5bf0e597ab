"""One operator as a model file spells it, and the words that TFLite's operators share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from midge.ir.graph import NO_CLAMP, Clamp, Padding
from midge.ir.tensor import Array, Quant, Tensor

_DAMAGED = "the file is damaged: export it again"


class UnsupportedOp(ValueError):
    """An operator, or a way of using it, that midge does not do; `remedy` says what would make it work."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, eq=False)
class SourceOp:
    """An operator read from a file: code, layer name, tensors (None: optional and absent), attributes by name.

    `intermediates` are the quantizations of what the operator computes inside, where the file says them.
    Attributes have the format's own names (`StrideH`, `FusedActivationFunction` in TFLite).
    """

    code: str
    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]
    intermediates: tuple[Quant | None, ...] = field(default=(), kw_only=True)

    def input_names(self, fewest: int, most: int) -> tuple[str, ...]:
        """Names of the inputs: the first `fewest` must be there, those up to `most` may be absent."""
        if len(self.inputs) > most:
            raise UnsupportedOp(f"{len(self.inputs)} inputs instead of {most}", _DAMAGED)
        names = [self.tensor(i).name for i in range(fewest)]
        return (*names, *(t.name for t in self.inputs[fewest:] if t is not None))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(t.name for t in self.outputs)

    def tensor(self, index: int, rank: int | None = None) -> Tensor:
        """Input `index`, which must be there, and have `rank` dimensions when given."""
        if index >= len(self.inputs) or (tensor := self.inputs[index]) is None:
            raise UnsupportedOp(f"input {index} is missing", _DAMAGED)
        if rank is not None and len(tensor.shape) != rank:
            raise UnsupportedOp(
                f"input {index} ({tensor.name}) has shape {tensor.shape}, not {rank} dimensions", _DAMAGED
            )
        return tensor

    def attribute(self, name: str) -> Any:
        """Attribute `name`, which must be there."""
        if name not in self.attributes:
            raise UnsupportedOp(f"the option {name} is missing", _DAMAGED)
        return self.attributes[name]

    def output(self) -> Tensor:
        """The only output."""
        if len(self.outputs) != 1:
            raise UnsupportedOp(f"{len(self.outputs)} outputs instead of one", _DAMAGED)
        return self.outputs[0]

    def constant(self, index: int) -> Array:
        """The value of input `index`, which must be a constant."""
        data = self.tensor(index).data
        if data is None:
            raise UnsupportedOp(
                f"input {index} ({self.tensor(index).name}) is computed at run time",
                "export the model with static shapes, so that it is a constant",
            )
        return data


def axis_of(x: Tensor, axis: Any) -> int:
    """An axis of `x` as files give it, negative or a tensor of one value, counted from the front."""
    found, rank = int(np.asarray(axis).reshape(-1)[0]), len(x.shape)
    if not -rank <= found < rank:
        raise UnsupportedOp(f"axis {found} of an input with {rank} dimensions", _DAMAGED)
    return found % rank


# ActivationFunctionType of the TFLite schema.
TFLITE_CLAMPS: Mapping[int, Clamp] = {0: NO_CLAMP, 1: (0.0, inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}


def tflite_clamp(op: SourceOp) -> Clamp:
    """The fused activation of a TFLite operator as real bounds."""
    code = op.attributes.get("FusedActivationFunction", 0)
    if code not in TFLITE_CLAMPS:
        raise UnsupportedOp(f"fused activation {code}", "export with the activation as an operator of its own")
    return TFLITE_CLAMPS[code]


def tflite_pair(op: SourceOp, vertical: str, horizontal: str) -> tuple[int, int]:
    """Two positive options as (vertical, horizontal), e.g. a stride."""
    pair = int(op.attribute(vertical)), int(op.attribute(horizontal))
    if min(pair) < 1:
        raise UnsupportedOp(f"{vertical} and {horizontal} are {pair}, not positive", _DAMAGED)
    return pair


def tflite_padding(
    op: SourceOp, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> Padding:
    """TFLite's SAME (0) or VALID (1) as explicit padding for the NHWC input `x`."""
    code = op.attribute("Padding")
    if code not in (0, 1):
        raise UnsupportedOp(f"padding {code} is neither SAME nor VALID", _DAMAGED)
    if code == 1:
        return ((0, 0), (0, 0))
    return same_padding(x, kernel, stride, dilation)


def same_padding(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> Padding:
    """What TFLite's SAME pads the NHWC input `x` with."""
    vertical, horizontal = (
        _same(n, (k - 1) * d + 1, s) for n, k, s, d in zip(x.shape[1:3], kernel, stride, dilation, strict=True)
    )
    return (vertical, horizontal)


def _same(size: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis, so that the output has ceil(size / stride) elements; the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
