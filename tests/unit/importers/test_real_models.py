"""Real models import whole, or are refused in words: never anything between."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from midge.errors import UnsupportedModelError
from midge.importers import import_model

SUPPORTED = """ad01_fp32 ad01_int8 ad01_int8_floatio cifar10_f cifar10_q conv1d_dilated_float conv1d_dilated_int8
conv_dw_pool_fc_softmax_float conv_dw_pool_fc_softmax_int8 hello_world_float hello_world_int8 ic_resnet8_fp32
ic_resnet8_int8 kws_dscnn_int8 kws_float32_true kws_int8_perchannel_cal100 kws_int8_pertensor_cal100 micro_speech_int8
mnist_arduino_q mnist_dw_f mnist_dw_q mnist_valid_f mnist_valid_q person_detect_int8 simple_add_int8 sww_float32
sww_ref_int8 two_in_two_out_float two_in_two_out_int8 vww96_fp32 vww96_int8""".split()  # noqa: SIM905


def manifest(assets: Path) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads((assets / "models/models.json").read_text())
    return [m for m in models if m["format"] == "tflite"]


def test_every_real_model_is_imported_or_refused_in_words(assets: Path) -> None:
    imported = set()
    refusals = []
    for model in manifest(assets):
        try:
            found = import_model(assets / model["file"])
        except UnsupportedModelError as error:
            refusals.append(error)
            continue
        imported.add(model["name"])
        assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest() == model["sha256"]
        assert [list(t.shape) for t in found.graph.input_tensors] == [i["shape"] for i in model["inputs"]]
        assert [list(t.shape) for t in found.graph.output_tensors] == [o["shape"] for o in model["outputs"]]
        assert [t.dtype.value for t in found.graph.input_tensors] == [i["dtype"] for i in model["inputs"]]
        for tensor, said in zip(found.graph.input_tensors, model["inputs"], strict=True):
            if tensor.quant is not None:
                assert (tensor.quant.scale, tensor.quant.zero_point) == (said["scale"], said["zero_point"])
    assert imported >= set(SUPPORTED)
    assert all(error.hint and "->" in error.message for error in refusals)


def test_inputs_and_outputs_have_the_names_of_the_signature(assets: Path) -> None:
    graph = import_model(assets / "models/ops_synth/two_in_two_out_int8.tflite").graph
    # The file lists its inputs in the other order, and calls them serving_default_a_1:0 and serving_default_a_0:0.
    assert graph.inputs == ("a_1", "a_0")
    assert set(graph.outputs) == {"output_0", "output_1"}
