"""Kernels of SOFTMAX."""
