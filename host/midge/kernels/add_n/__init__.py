"""Kernels of ADD_N."""
