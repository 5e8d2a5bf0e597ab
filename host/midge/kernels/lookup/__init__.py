"""Kernels of LOOKUP."""
