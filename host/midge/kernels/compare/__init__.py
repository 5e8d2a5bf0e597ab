"""Kernels of comparisons and logic."""
