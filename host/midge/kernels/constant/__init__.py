"""Kernels of values that are known before any inference."""
