"""Kernels of DEQUANTIZE."""
