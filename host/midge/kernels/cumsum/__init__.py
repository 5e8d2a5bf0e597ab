"""Kernels of CUMSUM."""
