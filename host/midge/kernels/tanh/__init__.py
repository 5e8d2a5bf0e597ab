"""Kernels of TANH."""
