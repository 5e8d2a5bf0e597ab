"""FULLY_CONNECTED int8 with weights zero in vectors of two channels, on cores with 16-bit SIMD: as dsp_sparse, each two
channels with a list of positions of their own."""

from __future__ import annotations

from midge.kernels.fully_connected.dsp_sparse import sparse_rows

VARIANT = sparse_rows(__name__, 2)
