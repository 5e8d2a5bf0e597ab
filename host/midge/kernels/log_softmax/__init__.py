"""Kernels of LOG_SOFTMAX."""
