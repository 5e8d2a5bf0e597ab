"""Kernels of TRANSPOSE_CONV."""
