"""Kernels of CAST and LOGICAL_NOT."""
