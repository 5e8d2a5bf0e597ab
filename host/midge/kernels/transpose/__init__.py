"""Kernels of TRANSPOSE."""
