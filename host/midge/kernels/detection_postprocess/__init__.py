"""Kernels of TFLite_Detection_PostProcess."""
