"""Kernels of LOGISTIC."""
