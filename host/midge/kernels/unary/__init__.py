"""Kernels of all functions of one value."""
