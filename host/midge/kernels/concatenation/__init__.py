"""Kernels of CONCATENATION."""
