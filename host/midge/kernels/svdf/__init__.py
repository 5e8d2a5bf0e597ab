"""Kernels of SVDF."""
