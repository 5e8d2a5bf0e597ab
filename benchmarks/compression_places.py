"""Where the networks of one seed and their data are; made when they are not there yet."""

from __future__ import annotations

from pathlib import Path

from compression_measure import BUILD, Place
from compression_nets import NETS, data_file, trained_net


def place(assets: Path, name: str, seed: int) -> Place:
    """The network called `name`: the project's own are trained, the keywords' is an asset."""
    if name == "kws":
        model = assets / "models" / "mlperf_tiny_derived" / "kws_float32_true.tflite"
        return Place(model, None, assets / "data" / "kws_mfcc.npz", seed)
    net, nets = NETS[name], BUILD / "nets"
    data = data_file(net, assets / "data" / net.data, nets / f"{name}.npz")
    model = trained_net(net, data, nets / f"{name}-{seed}.onnx", seed)
    student = trained_net(net, data, nets / f"{name}-student-{seed}.onnx", seed, student=True)
    return Place(model, student, data, seed)
