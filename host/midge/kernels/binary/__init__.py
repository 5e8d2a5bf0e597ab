"""Kernels of functions of two values that have none of their own."""
