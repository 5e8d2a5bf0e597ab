"""Kernels of ADD."""
