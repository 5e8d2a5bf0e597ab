"""Kernels of PAD."""
