"""midge: trained neural networks in, proven and measured microcontroller firmware out.

    from pathlib import Path
    import midge

    model = midge.import_model(Path("model.tflite"))
    data = midge.load_data(Path("data.npz"), model.graph)
    compiled = midge.compile_model(model, midge.Settings(board="nucleo_l4r5zi"), data)
    report = midge.run_model(compiled, data, Path("build"))
    print(report.latency_us, report.accuracy.device)

These names are the whole interface; midge.pipeline shows the stages behind them, midge.errors what can go wrong.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midge.boards import list_boards, load_board
    from midge.compress.techniques import cluster, factor, prune, scale, share
    from midge.data import load_data, load_golden
    from midge.exporters import export_tflite
    from midge.importers import import_model, import_torch
    from midge.interpreter import interpret
    from midge.pipeline import Compiled, compile_model, run_model
    from midge.report.compare import compare
    from midge.report.record import Report, read_report, to_json
    from midge.settings import Settings
    from midge.verification import verify_model

__version__ = "0.1.0"

# Loaded when first used: a command that needs one part does not pay for all.
_HOME = {
    "Compiled": "pipeline",
    "Report": "report.record",
    "Settings": "settings",
    "cluster": "compress.techniques",
    "compare": "report.compare",
    "compile_model": "pipeline",
    "export_tflite": "exporters",
    "factor": "compress.techniques",
    "import_model": "importers",
    "import_torch": "importers",
    "interpret": "interpreter",
    "list_boards": "boards",
    "load_board": "boards",
    "load_data": "data",
    "load_golden": "data",
    "prune": "compress.techniques",
    "read_report": "report.record",
    "run_model": "pipeline",
    "scale": "compress.techniques",
    "share": "compress.techniques",
    "to_json": "report.record",
    "verify_model": "verification",
}

__all__ = [
    "Compiled",
    "Report",
    "Settings",
    "__version__",
    "cluster",
    "compare",
    "compile_model",
    "export_tflite",
    "factor",
    "import_model",
    "import_torch",
    "interpret",
    "list_boards",
    "load_board",
    "load_data",
    "load_golden",
    "prune",
    "read_report",
    "run_model",
    "scale",
    "share",
    "to_json",
    "verify_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'midge' has no attribute {name!r}")
    return getattr(importlib.import_module(f"midge.{_HOME[name]}"), name)
