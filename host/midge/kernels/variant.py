"""What a kernel variant says of itself.

A variant is a module `midge/kernels/<op>/<name>.py` that defines VARIANT, and its twin `<op>/<name>.c.j2` among the
templates. The module decides (which layers, how weights are packed, which literals); the template prints.

The C function has these parameters, in this order: `in<i>` for each input i that is neither constant nor a state that
the operator updates, `state<k>` for the k-th of those, read and overwritten, `out<i>` for each other output, one per
constant by its role, and `scratch` when scratch bytes are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from midge.boards import Core
from midge.ir.graph import Op
from midge.ir.tensor import Array, DType, Tensor


@dataclass(frozen=True, eq=False)
class Layer:
    """One op with its tensors: all that a kernel may look at."""

    op: Op
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Constant:
    """An array that goes to flash: `role` names the kernel's parameter, `values` are flat and in C order."""

    role: str
    c_type: str
    values: Array


@dataclass(frozen=True, eq=False)
class Binding:
    """A kernel made ready for one layer: literals for the template, and packed constants."""

    params: Mapping[str, object]
    constants: tuple[Constant, ...] = ()


def _no_scratch(_: Layer) -> int:
    return 0


def touches_floats(layer: Layer) -> bool:
    """Whether any tensor of the layer holds floats."""
    return any(tensor.dtype is DType.F32 for tensor in (*layer.inputs, *layer.outputs))


def _no_code(_: Layer) -> int:
    return 0


def _no_overlap(_: Layer) -> int | None:
    return None


def _twice(_: Layer) -> int:
    return 2


def kernel_number(op: str, variant: str) -> int:
    """The 16 bits by which a firmware names the kernel of a layer: CRC-32 of `<op>/<variant>`, its low half.

    Two variants of one operator never share a number; which operator a layer is, the host knows.
    """
    return zlib.crc32(f"{op}/{variant}".encode()) & 0xFFFF


@dataclass(frozen=True)
class Variant:
    """A way to compute an operator. `module` is the defining module's __name__.

    `fits` says whether the variant can do the layer, `bind` makes it ready. `needs` are abilities of a core (see
    midge.boards.Core), all of which it must have. `scratch_bytes` is what it needs besides
    inputs and outputs, `code_bytes` what its code takes beyond the portable variant's where that is worth counting
    (negative where it takes less). Its constants take at most `growth` times the layer's, and 32 bytes for each output
    channel. `overlap` is the distance in bytes (see midge.memory.plan.Overlap) that input 0 must
    keep ahead of output 0 when they share memory: 0 in place, None never. `floats` says whether it computes with
    floats, which not every compiler can link. `packed`: constants take fewer bytes (weights fewer than 8 bits), which
    costs cycles. `signs`: it multiplies values of one bit, and outruns whatever else fits. `slow`: it is for flash
    alone, and comes after all others but the portable one. `cycles` estimates what the layer takes, on the core that
    the variant is made for, where the weights' values decide; None where they do not.
    """

    module: str
    fits: Callable[[Layer], bool]
    bind: Callable[[Layer], Binding]
    needs: frozenset[str] = field(default=frozenset())
    scratch_bytes: Callable[[Layer], int] = _no_scratch
    overlap: Callable[[Layer], int | None] = _no_overlap
    floats: Callable[[Layer], bool] = touches_floats
    code_bytes: Callable[[Layer], int] = _no_code
    growth: Callable[[Layer], int] = _twice
    packed: bool = False
    signs: bool = False
    slow: bool = False
    cycles: Callable[[Layer], int] | None = None

    def runs_on(self, core: Core) -> bool:
        """Whether the core has all that the variant needs."""
        return self.needs.issubset(core.abilities)

    @property
    def op(self) -> str:
        """The operator's kind: the folder's name."""
        return self.module.split(".")[-2]

    @property
    def name(self) -> str:
        """The variant's name: the module's."""
        return self.module.split(".")[-1]

    @property
    def makes_code(self) -> bool:
        """Whether its code depends on the layer, as weights that are code, and loops unrolled for zeros."""
        return self.code_bytes is not _no_code

    @property
    def template(self) -> str:
        """Path of the twin below the templates folder."""
        return f"kernels/{self.op}/{self.name}.c.j2"
