"""The Program: the network as the templates see it. Names are legal C, offsets are solved, constants are packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from midge.ir.tensor import Array, DType, Quant, Shape
from midge.kernels.variant import kernel_number


@dataclass(frozen=True, eq=False)
class ConstantArray:
    """One array in flash: `symbol` of `c_type` with flat `values`; `comment` says whose it is."""

    symbol: str
    c_type: str
    values: Array
    comment: str

    @property
    def bytes(self) -> int:
        """Bytes in flash."""
        return int(self.values.nbytes)


@dataclass(frozen=True)
class Argument:
    """A parameter of a kernel function and what a call passes: an arena offset or a constant's symbol."""

    name: str
    c_type: str
    is_const: bool
    offset: int | None = None
    symbol: str | None = None


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One layer: which variant, with which literals and arguments. `shapes` is for people.

    `constant_bytes` is what its constants take in flash that no earlier layer has there, `width` that of packed
    weights, None where none are packed.
    """

    index: int
    layer: str
    op: str
    variant: str
    template: str
    params: Mapping[str, object]
    arguments: tuple[Argument, ...]
    shapes: str
    macs: int
    constant_bytes: int = 0
    width: str | None = None

    @property
    def kernel_number(self) -> int:
        """By which the firmware names the kernel over the link."""
        return kernel_number(self.op, self.variant)


@dataclass(frozen=True)
class Port:
    """An input or output of the network: where it lies in the arena and what its values mean."""

    name: str
    symbol: str
    shape: Shape
    dtype: DType
    quant: Quant | None
    offset: int
    bytes: int
    elements: int


@dataclass(frozen=True, eq=False)
class StateSlot:
    """What lives from one call to the next: its place in the arena, and how a reset fills it.

    Each byte becomes `fill`; where that is None, the bytes are those of the constant `symbol`.
    """

    name: str
    shape: Shape
    dtype: DType
    offset: int
    bytes: int
    fill: int | None
    symbol: str | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """A network ready to print. `prefix` starts every C symbol, `hash` is the SHA-256 of what was compiled.

    The first `state_bytes` of the arena hold `states`.
    """

    name: str
    prefix: str
    hash: str
    midge_version: str
    arena_bytes: int
    arena_lower_bound_bytes: int
    scratch_bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    constants: tuple[ConstantArray, ...]
    calls: tuple[KernelCall, ...]
    state_bytes: int = 0
    states: tuple[StateSlot, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(call.macs for call in self.calls)

    @property
    def constant_bytes(self) -> int:
        """Bytes of all constants."""
        return sum(constant.bytes for constant in self.constants)
