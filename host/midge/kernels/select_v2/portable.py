"""SELECT_V2 of any shapes that broadcast, for every core and type."""

from __future__ import annotations

from midge.ir.tensor import DType
from midge.kernels.geometry import Dim, broadcast_strides, merged
from midge.kernels.literals import constant_data
from midge.kernels.variant import Binding, Constant, Layer, Variant


def fits(layer: Layer) -> bool:
    """Any type."""
    return layer.inputs[0].dtype is DType.BOOL


def bind(layer: Layer) -> Binding:
    """The loops over all three operands; a constant one is an array in its place."""
    shape = layer.outputs[0].shape
    strides = [broadcast_strides(t.shape, len(shape)) for t in layer.inputs]
    dims = merged([Dim(n, steps) for n, *steps in zip(shape, *strides, strict=True)])  # type: ignore[arg-type]
    constants = tuple(
        Constant(f"in{i}", t.dtype.c_type, constant_data(t)) for i, t in enumerate(layer.inputs) if t.is_constant
    )
    names = [f"i{k}" for k in range(len(dims))]
    sizes, factors = [d.size for d in dims], [[d.strides[i] for d in dims] for i in range(3)]
    return Binding({"names": names, "sizes": sizes, "strides": factors}, constants)


VARIANT = Variant(__name__, fits=fits, bind=bind)
