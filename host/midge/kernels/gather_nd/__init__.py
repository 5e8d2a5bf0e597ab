"""Kernels of GATHER_ND."""
