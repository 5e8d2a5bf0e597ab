"""Kernels of BATCH_MATMUL."""
