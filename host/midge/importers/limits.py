"""How large a network midge takes: far beyond any microcontroller, and small enough that no file stalls the host."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from midge.errors import UnsupportedModelError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Tensor

MAX_FILE_BYTES = 256 << 20
MAX_OPS = 5_000
MAX_TENSORS = 50_000
MAX_BUFFERS = 100_000
MAX_OPERANDS = 1_000
MAX_TOTAL_OPERANDS = 100_000
MAX_RANK = 8
MAX_SCALES = 1 << 16
MAX_ELEMENTS = 64 << 20
MAX_CONSTANT_BYTES = 256 << 20
# Of one constant that the file holds sparse: what is stored says little about how large it becomes.
MAX_DENSIFIED_BYTES = 32 << 20
MAX_ACTIVATION_BYTES = 256 << 20
MAX_MACS = 5_000_000_000
MAX_MACS_ONCE = 10_000_000


def too_large(op: Op, inputs: Sequence[Tensor]) -> str:
    """Why `op` is too large to compute, or "": explicit padding must not blow its input up beyond MAX_ELEMENTS."""
    padding = getattr(op, "padding", None)
    if padding is None or not inputs or len(inputs[0].shape) != 4:
        return ""
    (top, bottom), (left, right) = padding
    n, h, w, c = inputs[0].shape
    if prod((n, h + top + bottom, w + left + right, c)) > MAX_ELEMENTS:
        return f"its input {list(inputs[0].shape)} padded by {padding} has more than {MAX_ELEMENTS} elements"
    return ""


def check_size(graph: Graph) -> None:
    """Raise UnsupportedModelError for a network that no microcontroller could hold or run."""
    activations = sum(t.bytes for t in graph.tensors.values() if not t.is_constant)
    if activations > MAX_ACTIVATION_BYTES:
        raise _too_large(graph.name, f"{activations} bytes of activations", MAX_ACTIVATION_BYTES)
    if graph.macs > MAX_MACS:
        raise _too_large(graph.name, f"{graph.macs} multiply-accumulates", MAX_MACS)


def _too_large(name: str, what: str, most: int) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{name} has {what}, more than the {most} that midge accepts",
        hint="use a smaller input or a smaller network; no microcontroller holds this one",
    )
