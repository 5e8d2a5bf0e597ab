"""Kernels of RELU, RELU6 and RELU_N1_TO_1."""
