"""Kernels of SUB."""
