"""Kernels of ARG_MAX and ARG_MIN."""
