"""Post-training static quantization: calibration data in, an int8 graph out.

samples -> calibrate -> ranges -> quantize_graph -> int8 graph; quantize_model does all of it.
"""

from __future__ import annotations

from midge.quantize.calibrate import Calibration, calibrate
from midge.quantize.fuse import fuse_quantization
from midge.quantize.int8_graph import quantize_graph
from midge.quantize.model import CalibrationWarning, FusionWarning, quantize_model
from midge.quantize.quality import LayerQuality, layer_qualities
from midge.quantize.ranges import Method, Range

__all__ = [
    "Calibration",
    "CalibrationWarning",
    "FusionWarning",
    "LayerQuality",
    "Method",
    "Range",
    "calibrate",
    "fuse_quantization",
    "layer_qualities",
    "quantize_graph",
    "quantize_model",
]
