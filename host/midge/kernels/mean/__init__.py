"""Kernels of MEAN."""
