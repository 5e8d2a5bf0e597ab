"""Kernels of L2_NORMALIZATION."""
