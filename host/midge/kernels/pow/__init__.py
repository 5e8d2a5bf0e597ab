"""Kernels of POW."""
