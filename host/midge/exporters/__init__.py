"""Graphs out: the way back to a standard model file, which every other tool reads too."""

from __future__ import annotations

from midge.exporters.tflite import export_tflite

__all__ = ["export_tflite"]
