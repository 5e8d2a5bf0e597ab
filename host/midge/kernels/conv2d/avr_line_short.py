"""CONV_2D int8 for AVR as `avr_line` does it, without tables: for flash. As code a few weights take less of it than
the code that streams them."""

from __future__ import annotations

from midge.kernels.byte_blocks import NEEDS
from midge.kernels.conv2d import avr_line
from midge.kernels.variant import Binding, Layer, Variant

# What the code of `avr_stream` takes, with the share of the compiler's arithmetic that it does without.
_STREAM_BYTES = 800


def bind(layer: Layer) -> Binding:
    """Groups of channels, as `avr_line` has them."""
    return avr_line.bind(layer, tables=False)


def code_bytes(layer: Layer) -> int:
    """What weights and scaling take, about, beyond `avr_stream`, which is as good as free (see byte_blocks)."""
    return avr_line.code_bytes(layer, tables=False) - _STREAM_BYTES


VARIANT = Variant(
    __name__,
    fits=avr_line.fits,
    bind=bind,
    needs=NEEDS,
    scratch_bytes=avr_line.scratch_bytes,
    overlap=avr_line.overlap,
    code_bytes=code_bytes,
)
