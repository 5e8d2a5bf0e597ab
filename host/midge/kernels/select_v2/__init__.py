"""Kernels of SELECT_V2."""
