"""What accuracy is measured on: networks, their data, and how many points each way of quantizing may lose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from breaking_net import write_breaking_net

from midge.importers import Imported, import_model

REPOSITORY = Path(__file__).resolve().parent.parent
DIGITS = REPOSITORY / "examples" / "digits"
# Networks that are made here, when they are needed.
NETS = REPOSITORY / "build" / "nets"


@dataclass(frozen=True)
class Task:
    """One network on one data set.

    `model` and `data` find them, given the folder of assets. `limits` are the points that may be lost, by variant;
    `others` are integer models of the same network that another converter made, by what they are called. `must_lose`
    are points that variants lose at least: what the network is there to show.
    """

    title: str
    model: Callable[[Path], Imported]
    data: Callable[[Path], Path]
    limits: Mapping[str, float]
    others: Mapping[str, str] = field(default_factory=dict)
    must_lose: Mapping[str, float] = field(default_factory=dict)


MIXED = "mixed"
# What each variant sets; MIXED takes widths by layer until the constants take half of those of int8.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "int8": {"weights": "int8"},
    "int16x8": {"precision": "int16x8"},
    "int4": {"weights": "int4"},
    "minmax": {"weights": "int8"},
}
# Rungs that these variants do without.
PLAIN = {"minmax": ("ranges", "equalize", "bias", "adaround", "blocks")}
VARIANT_TITLES = {
    "minmax": "int8 by extremes alone",
    "int8": "int8",
    "int16x8": "int16 activations, int8 weights",
    "int4": "int4 weights",
    "mixed": "mixed widths, half of int8's constants",
}


def _asset(name: str) -> Callable[[Path], Imported]:
    return lambda assets: import_model(assets / name)


def _data(name: str) -> Callable[[Path], Path]:
    return lambda assets: assets / "data" / name


def _har(assets: Path) -> Imported:
    """Trained when it is not there yet; needs PyTorch for that."""
    target = NETS / "har.onnx"
    if not target.is_file():
        from train_har import train_har

        train_har(assets / "data" / "har_hapt.npz", target)
    return import_model(target)


def _breaking(assets: Path) -> Imported:
    return import_model(write_breaking_net(DIGITS / "digits.tflite", NETS / "breaking.tflite"))


def _digits_data(assets: Path) -> Path:
    return DIGITS / "digits.npz"


_SMALL = {"int8": 0.3, "int4": 1.0, "mixed": 0.7}

TASKS: Mapping[str, Task] = {
    "kws": Task(
        "keywords, DS-CNN",
        _asset("models/mlperf_tiny_derived/kws_float32_true.tflite"),
        _data("kws_mfcc.npz"),
        {"int8": 0.5, "int16x8": 0.2, "int4": 2.0, "mixed": 1.5},
        {
            "official int8": "models/mlperf_tiny/kws_dscnn_int8.tflite",
            "TFLite converter, int8 per channel": "models/mlperf_tiny_derived/kws_int8_perchannel_cal100.tflite",
            "TFLite converter, int8 per tensor": "models/mlperf_tiny_derived/kws_int8_pertensor_cal100.tflite",
            "TFLite converter, 16x8": "models/mlperf_tiny_derived/kws_int16x8.tflite",
            "TFLite converter, dynamic range": "models/mlperf_tiny_derived/kws_dynamic_range.tflite",
        },
    ),
    "mnist_valid": Task(
        "MNIST, TinyMaix valid",
        _asset("models/tinymaix/mnist_valid_f.tflite"),
        _data("mnist.npz"),
        _SMALL,
        {"TFLite converter, int8": "models/tinymaix/mnist_valid_q.tflite"},
    ),
    "mnist_dw": Task(
        "MNIST, TinyMaix depthwise",
        _asset("models/tinymaix/mnist_dw_f.tflite"),
        _data("mnist.npz"),
        _SMALL,
        {"TFLite converter, int8": "models/tinymaix/mnist_dw_q.tflite"},
    ),
    "sww": Task(
        "streaming wake word",
        _asset("models/mlperf_tiny_derived/sww_float32.tflite"),
        _data("sww.npz"),
        {"int8": 0.0, "int4": 0.0},
        {"TFLite converter, int8": "models/mlperf_tiny/sww_ref_int8.tflite"},
    ),
    "har": Task("movements, small net", _har, _data("har_hapt.npz"), _SMALL),
    "digits": Task("digits, small net", lambda assets: import_model(DIGITS / "digits.tflite"), _digits_data, _SMALL),
    "breaking": Task(
        "digits, a net that breaks plain int8", _breaking, _digits_data, {"int8": 1.0}, must_lose={"minmax": 20.0}
    ),
}
